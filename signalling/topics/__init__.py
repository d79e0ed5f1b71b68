"""What each subscription shows, and to whom."""
