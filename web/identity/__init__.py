"""Accounts, sessions, second factors, and which person uses a browser."""
