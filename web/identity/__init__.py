"""Manages accounts, browser sessions and second factors, and identifies the person who uses a browser."""
