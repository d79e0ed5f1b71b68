"""Defines API keys and webhooks for other programs. It contains no page."""
