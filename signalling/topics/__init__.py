"""The topics: what a subscription shows, and who may subscribe."""
