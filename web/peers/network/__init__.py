"""Simulates bad networks: decides what happens to each packet, by a file, in a proxy."""
