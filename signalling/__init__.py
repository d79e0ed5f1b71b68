"""The visit and its changes: state table, store, pub/sub, hub, WebSocket protocol. Knows no page and no packet."""
