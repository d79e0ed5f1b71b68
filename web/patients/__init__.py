"""Records of one patient, or of all: found, exported and erased at a person's request. Knows no page."""
