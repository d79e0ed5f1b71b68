"""Contains all code that uses Redis: records, events, pub/sub, jobs, the audit log, tokens, and the keys that
show which workers run.
"""
