"""Booked visits: free times, bookings, and the mails about them. It contains no page."""
