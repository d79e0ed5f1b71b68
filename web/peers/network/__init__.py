"""Simulates bad networks: a file describes the network, and a proxy delays, drops or passes each packet."""
