"""Forwards packets between the parties of a room: the code that runs for every packet (hot path), and the state that it
reads.
"""
