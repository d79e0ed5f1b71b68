"""API keys and webhooks for other programs. Knows no page."""
