"""The audit trail's part of the web: what leaves an entry, in which words it is shown, the page, and the command.

The trail itself, how it is bound and verified, is signalling's (`signalling/visit/audit_entries.py`,
`signalling/store/audit_log.py`).
"""
