"""Clients of the protocol, for scripts, load testers and tests."""
