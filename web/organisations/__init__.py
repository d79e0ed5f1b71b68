"""What a clinic has set up, and where it is kept."""
