"""Everything that touches Redis: records, the event stream, pub/sub, jobs, the audit log, tokens, signs of life."""
