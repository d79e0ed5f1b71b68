"""The REST API for other programs: its operations, its description, and QR codes of links."""
