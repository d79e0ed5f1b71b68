"""Which worker carries the media of which visit: leases, seats, offers and answers, the gate."""
