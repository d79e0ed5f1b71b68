"""The web's part of the audit log: which requests add an entry, its words, the page and the command.

The log itself, and how its entries are chained and verified, is defined in signalling
(`signalling/visit/audit_entries.py`, `signalling/store/audit_log.py`).
"""
