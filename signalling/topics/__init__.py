"""Defines the topics to which clients subscribe: the messages that a subscriber receives, and who may subscribe."""
