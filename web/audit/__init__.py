"""The audit log's part in the web: which requests leave an entry, its words, the page and the command.

The log itself, and how its entries are chained and verified, is defined in signalling
(`signalling/visit/audit_entries.py`, `signalling/store/audit_log.py`).
"""
