"""Synthetic patients and providers: people for scripts, a driver for many of them, and a report of their measurements.

They use a server as browsers do: pages, forms and the WebSocket.
"""
