"""Decides which requests add an entry to the audit log, and contains the words of the entries for pages.

The log itself, and how its entries are chained and verified, is defined in signalling
(`signalling/visit/audit_entries.py`, `signalling/store/audit_log.py`).
"""
