"""Test parties for the other end of a call, for load testers, benchmarks and tests."""
