"""Collects metrics for Prometheus over all workers. No value is about a patient or a visit."""
