"""Serves the pages of staff."""
