"""API keys and webhooks of other programs. Knows no page."""
