"""Which worker carries the media of which visit: leases, memberships, offers and answers, the gate."""
