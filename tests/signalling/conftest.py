"""Fixtures of the tests of signalling.

Logs are plain lines, because a traceback with the values of all variables takes seconds. A test can have its own store,
and run with each of the two ways to use a connection to a store.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from signalling.store import redis_transport
from web.server.valkey import EmbeddedStore, LockedFolder

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ]
)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A Valkey for one test, which may stop, freeze and kill it."""
    folder = LockedFolder(tmp_path)
    store = EmbeddedStore(folder)
    store.start()
    yield store
    if store.pid is not None:
        os.kill(store.pid, signal.SIGCONT)
    store.stop()
    folder.close()


@pytest.fixture(
    params=[redis_transport.DirectTransport, redis_transport.PublicTransport], ids=["direct", "public"]
)
def both_transports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the test twice, once with each transport: one uses redis-py's socket, the other only redis-py's public
    methods.
    """
    monkeypatch.setattr(redis_transport, "chosen", request.param)
