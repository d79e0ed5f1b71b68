"""What synthetic people send and see in a call."""
