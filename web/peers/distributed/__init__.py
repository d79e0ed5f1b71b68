"""One run over several machines."""
