"""One connection from the upgrade to the goodbye: handshake, frames, requests, heartbeat."""
