"""The WebSocket's messages, their codecs, and how the state looks in them. Pure; PROTOCOL.md is its document."""
