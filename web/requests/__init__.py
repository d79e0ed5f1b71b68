"""What every request from a browser must satisfy: its origin, its form, its text."""
