"""Plays synthetic patients and providers against a server, and reports what they measured.

It contains people for scripts, a driver for many of them, and the report. They use a server as browsers do: by pages,
forms and the WebSocket.
"""
