"""The visit and who hears of it: the state table, the store, the bus, the hub, the WebSocket protocol. Knows
no page, no packet.
"""
