"""Opening a visit by any door."""
