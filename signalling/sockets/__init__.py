"""Handles one client's WebSocket from the HTTP upgrade to its end: handshake, frames, requests, heartbeat."""
