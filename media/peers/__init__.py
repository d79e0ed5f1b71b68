"""Test parties that act as a browser in a call, for load testers, benchmarks and tests."""
