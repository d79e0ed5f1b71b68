"""The protocol from the other side, for scripts, load testers and tests."""
