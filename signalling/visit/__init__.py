"""What may happen to a visit: the record, the commands, the rules. Pure: no I/O, no clock."""
