"""Serves the page of a facility (such as a ward or a school) whose staff add patients to the queue."""
