"""The media of synthetic people: what they send and receive in a call."""
