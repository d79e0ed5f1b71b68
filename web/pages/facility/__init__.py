"""The page of a facility that places patients in the queue."""
