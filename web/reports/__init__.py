"""Figures of past visits: waits, claims, outcomes, by hour, day and provider. Knows no page, names no patient."""
