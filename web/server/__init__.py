"""Starts and watches the processes of a server, and has what all of them need: a store, the data key, TLS, logs."""
