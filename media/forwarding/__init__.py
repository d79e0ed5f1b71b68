"""Forwards packets between parties: has the code that runs for every packet (hot path), and the state that it reads."""
