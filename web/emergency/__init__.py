"""Emergency access: a member of staff reads a visit that is not theirs, for a short time. It contains no page."""
