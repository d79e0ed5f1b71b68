"""Finds, exports and erases the records of one patient or of all patients. It contains no page."""
