"""Defines what may happen to a visit: the record, the commands, the rules. Does no I/O and reads no clock."""
