"""The language of a response, and the texts in each language."""
