"""Which worker carries the media of which visit: leases, memberships, offers and answers, and when media may flow."""
