"""The WebSocket's messages, their codecs, and the views of the state. PROTOCOL.md describes them. Does no I/O."""
