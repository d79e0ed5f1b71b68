"""The topics: the messages that a subscriber receives, and the rights that are needed to subscribe."""
