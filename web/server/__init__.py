"""Processes and the things that all of them need: the store's process, the data key, TLS, logs, health."""
