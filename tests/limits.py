"""Defines how long tests wait for something that must happen."""

from __future__ import annotations

from typing import Final

WAIT_S: Final = 60.0
"""The longest time in s that a test waits for something that must happen.

It is many times longer than usual, because the machine may be slow, and busy with other tests. It says nothing about
the product: `make faults` and `make bench` measure how fast the product is. If it does not happen, the test fails.
"""
