"""Simulated bad networks: what happens to each packet, the file that defines it, and the proxy that applies it."""
