"""The topics: what a subscription shows, and to whom."""
