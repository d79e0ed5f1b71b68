"""Opens visits, from a page, a booking, a kiosk or the API."""
