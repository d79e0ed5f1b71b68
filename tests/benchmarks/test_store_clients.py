"""Tests the comparison of store clients on a real Valkey; clients that are not installed are listed."""

from __future__ import annotations

from importlib.util import find_spec

from tests.benchmarks.store_clients import CLIENTS, PATTERNS, QUICK, measure


def test_our_connection_is_compared_with_every_client_that_is_installed() -> None:
    made = measure(QUICK, lambda part: None)
    present = [name for name, rival in CLIENTS.items() if find_spec(rival.module)]
    assert {"ours", "ours, public", "redis-py"} <= set(present)
    assert len(made.comparisons) == 3 * len(PATTERNS)
    for comparison in made.comparisons:
        assert [value.name for value in comparison.values] == present
        assert all(value.value > 0 for value in comparison.values)
    assert [skipped.name for skipped in made.skipped] == [name for name in CLIENTS if name not in present]
