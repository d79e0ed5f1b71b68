"""Serves the set-up, in which an administrator changes the settings.

Each module is one section; `frame` has common parts.
"""
