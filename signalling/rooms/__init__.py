"""Which worker carries whose media: leases, seats, offers and answers, the gate."""
