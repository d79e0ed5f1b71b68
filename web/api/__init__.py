"""The REST API for other programs: its operations, their dispatch, and their description."""
