"""Serves the pages of patients and guests."""
