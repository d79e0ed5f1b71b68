"""Booked visits: free times, bookings, and the mails about them. Contains no page."""
