"""Everything that uses Redis: records, the event stream, pub/sub, jobs, the audit log, tokens, signs of life of
workers.
"""
