"""The visit and those who receive its news: state table, store, pub/sub, hub, WebSocket protocol. Knows no page and no
packet.
"""
