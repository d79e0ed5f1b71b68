"""One run: its plan, its arrivals, its people, what was seen."""
