"""Doors for machines and for other houses: the REST API with its keys and webhooks, and a facility's kiosk."""
