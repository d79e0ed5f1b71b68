"""What the tests of signalling share: logs in plain lines, for a traceback drawn with all its locals takes
seconds; and a store of a test's own.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

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
    """A Valkey that a test may stop, freeze and kill."""
    folder = LockedFolder(tmp_path)
    store = EmbeddedStore(folder)
    store.start()
    yield store
    if store.pid is not None:
        os.kill(store.pid, signal.SIGCONT)
    store.stop()
    folder.close()
