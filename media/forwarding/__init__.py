"""What crosses from whom to whom: the hot path and the state it reads."""
