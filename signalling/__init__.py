"""Visits and how they change: the rules, the storage, the messages between workers, and the WebSocket protocol.

Imports no page of the web application and no code that handles media packets.
"""
