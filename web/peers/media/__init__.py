"""Sends and receives the media of synthetic people in a call."""
