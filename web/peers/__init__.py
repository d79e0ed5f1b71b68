"""Synthetic patients and providers: people to script, a driver for many of them, and a report of their measurements.

Speaks to a server as browsers do: pages, forms and the WebSocket. Knows nothing of how the server stores a visit.
"""
