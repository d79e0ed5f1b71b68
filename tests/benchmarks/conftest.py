"""Starts one real server with two workers for all tests of the benchmark; each test has its own organisation there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.benchmarks.server import BenchServer
from tests.server import STORE_S
from web.server.throwaway import Throwaway, throwaway

NUMBERS = itertools.count(1)


@pytest.fixture(scope="package")
def server() -> Iterator[Throwaway]:
    """A server with an empty store, for which it waits for STORE_S."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("GREENROOM_REDIS__SOCKET_TIMEOUT_S", str(STORE_S))
            running = stack.enter_context(throwaway(2))
        yield running


@pytest.fixture
def ours(server: Throwaway) -> BenchServer:
    """An organisation on the shared server that no other test uses."""
    return BenchServer(server, f"bench-{next(NUMBERS)}")
