"""The WebSocket's messages, their codecs, and the views of the state. Pure; PROTOCOL.md is its document."""
