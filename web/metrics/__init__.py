"""Metrics for Prometheus: their table, and one scrape for all workers. No value is about a patient or a visit."""
