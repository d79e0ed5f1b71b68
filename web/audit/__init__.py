"""The audit log's part in this package: which requests add an entry, and the words of the entries.

The log itself, and how its entries are chained and verified, is defined in signalling
(`signalling/visit/audit_entries.py`, `signalling/store/audit_log.py`).
"""
