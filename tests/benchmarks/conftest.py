"""Starts one real server with two workers for all tests of the benchmark; each test has its own organisation there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.benchmarks.server import BenchServer
from web.server.throwaway import Throwaway, throwaway

NUMBERS = itertools.count(1)


@pytest.fixture(scope="package")
def server() -> Iterator[Throwaway]:
    """A server with an empty store."""
    with throwaway(2) as running:
        yield running


@pytest.fixture
def ours(server: Throwaway) -> BenchServer:
    """An organisation on the shared server that no other test uses."""
    return BenchServer(server, f"bench-{next(NUMBERS)}")
