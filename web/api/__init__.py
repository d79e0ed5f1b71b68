"""The REST API for other programs: the table of its operations, the handling of requests, and its description."""
