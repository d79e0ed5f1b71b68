"""Processes and what they stand on: the store's process, the data key, TLS, logs, health."""
