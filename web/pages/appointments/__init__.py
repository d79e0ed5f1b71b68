"""Serves the pages about booked visits."""
