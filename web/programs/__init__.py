"""API keys and webhooks for other programs. Contains no page."""
