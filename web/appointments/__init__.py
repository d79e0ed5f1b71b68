"""Manages booked visits: the times that are free, the bookings, and the mails about them.

It contains no page.
"""
