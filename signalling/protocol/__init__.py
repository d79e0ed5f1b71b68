"""Defines the WebSocket's messages, their encodings, and what a message shows of a visit.

PROTOCOL.md explains them. Does no I/O.
"""
