"""Runs the processes, and what all of them need: the store's process, the data key, TLS, logs, health."""
