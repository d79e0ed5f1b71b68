"""Chooses the language of a response, and contains the texts in each language."""
