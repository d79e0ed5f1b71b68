"""The topics: what a subscriber receives, and who may subscribe."""
