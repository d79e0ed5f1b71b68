"""Booked visits: free times, bookings, and the mails about them. Knows no page."""
