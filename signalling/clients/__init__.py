"""Clients of the WebSocket protocol, for scripts, load testers and tests."""
