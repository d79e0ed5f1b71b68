"""Sends messages about a visit to people who have no page open; decides on recipients, times and channels, and
records the results.
"""
