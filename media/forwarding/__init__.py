"""Forwarding of packets between parties: the hot path, and the state that it reads."""
