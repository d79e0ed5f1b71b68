"""One run: its plan, the arrivals, the driver of the people, and the observations."""
