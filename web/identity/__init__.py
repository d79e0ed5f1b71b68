"""Accounts, sessions, second factors, and who a browser belongs to."""
