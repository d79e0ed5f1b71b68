"""The page of a facility whose staff add patients to the queue."""
