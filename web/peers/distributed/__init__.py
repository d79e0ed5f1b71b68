"""Distributes one run of the load tester over several machines."""
