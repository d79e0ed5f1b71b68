"""Plays one run of the load tester: its plan, the arrivals, the driver of the people, and the observations."""
