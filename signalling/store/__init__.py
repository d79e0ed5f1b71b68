"""Everything that uses Redis: records, events, pub/sub, jobs, the audit log, tokens, signs of life of workers."""
