"""Calculates figures of past visits: waits, claims, outcomes, by hour, day and provider. No patient is named."""
