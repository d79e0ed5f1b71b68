"""The visit and its changes: state table, store, pub/sub, hub, WebSocket protocol. Imports no page and no
packet code.
"""
