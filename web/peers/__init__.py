"""Plays synthetic patients and providers against a server, and reports what they measured.

This package contains classes that play one person each (for scripts), a driver that plays many people, and the
report. Synthetic people use a server as browsers do: by pages, forms and the WebSocket.
"""
