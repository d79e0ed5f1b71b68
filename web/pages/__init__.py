"""Answers browsers with pages.

Each module has the handlers of one group of pages; `rendering` fills templates.
"""
