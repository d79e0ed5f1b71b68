"""Synthetic patients and providers: people to script, a driver for many of them, and a report of what they saw.

Speaks to a server as browsers do, over its public doors only. Knows nothing of how the server keeps a visit.
"""
