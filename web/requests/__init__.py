"""Checks every request from a browser: its origin, its form, its text."""
