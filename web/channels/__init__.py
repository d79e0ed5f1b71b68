"""Messages about a visit to people who have no page open: who gets one, when, by which channel, and what came of it."""
