"""Messages about a visit to people who have no page open: the recipients, the time, the channel, and the result."""
