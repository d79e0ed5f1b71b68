"""Booked visits: which times are free, who has taken one, the letters about it. Knows no page."""
