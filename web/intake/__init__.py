"""Opening a visit, from a page, a booking, a kiosk or the API."""
