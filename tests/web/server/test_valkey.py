"""Tests the embedded store: which data it keeps, and which clients it answers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.limits import WAIT_S
from web.errors import ConfigError
from web.server import valkey
from web.server.valkey import EmbeddedStore, LockedFolder, parse_version


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LockedFolder]:
    """A data folder that this test has locked."""
    locked = LockedFolder(tmp_path / "data")
    yield locked
    locked.close()


@pytest.fixture
def store(folder: LockedFolder) -> Iterator[EmbeddedStore]:
    """A running embedded store."""
    made = EmbeddedStore(folder)
    made.start()
    yield made
    made.stop()


def client_of(store: EmbeddedStore) -> "redis.Redis":
    return redis.Redis.from_url(store.url, socket_timeout=WAIT_S)


def test_acknowledged_writes_survive_a_kill(store: EmbeddedStore) -> None:
    with client_of(store) as client:
        for number in range(200):
            client.set(f"key{number}", number)
        assert store.pid
        os.kill(store.pid, 9)
    while store.pid:
        pass
    store.start()
    with client_of(store) as client:
        assert client.dbsize() == 200


def test_only_its_own_account_and_no_network_reach_the_store(store: EmbeddedStore) -> None:
    path = Path(store.url.removeprefix("unix://"))
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    with client_of(store) as client:
        found = client.config_get("*")
        assert isinstance(found, dict)
        assert (found["port"], found["tls-port"]) == ("0", "0")
        assert (found["appendonly"], found["appendfsync"]) == ("yes", "always")
        assert found["maxmemory-policy"] == "noeviction"


def test_a_long_data_folder_gets_a_short_socket_that_goes_with_the_store(tmp_path: Path) -> None:
    locked = LockedFolder(tmp_path / ("long" * 20) / ("longer" * 20))
    store = EmbeddedStore(locked)
    store.start()
    path = Path(store.url.removeprefix("unix://"))
    assert len(os.fsencode(path)) < 107
    with client_of(store) as client:
        assert client.ping()
    store.stop()
    locked.close()
    assert not path.parent.exists()


def test_a_store_that_dies_again_and_again_is_started_less_and_less_often(store: EmbeddedStore) -> None:
    pauses, now_s = [], store._started_s
    for _ in range(6):
        process = store._process
        assert process
        process.kill()
        process.wait()
        died_s = now_s
        store.keep_running(now_s)
        while store._process is process:
            now_s += 0.1
            store.keep_running(now_s)
        pauses.append(round(now_s - died_s, 1))
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(valkey.BACKOFF_S[-1], abs=0.2)


def test_r29_a_store_that_cannot_be_started_again_is_tried_later_and_ends_nothing(
    store: EmbeddedStore,
) -> None:
    process, program = store._process, store._program
    assert process
    process.kill()
    process.wait()
    now_s = store._started_s
    store._program = Path("/nowhere/valkey-server")
    store.keep_running(now_s + 10)
    store.keep_running(now_s + 11)
    assert store.pid is None
    store._program = program
    store.keep_running(now_s + 11 + valkey.BACKOFF_S[-1])
    assert store.pid is not None


def test_a_store_that_cannot_start_says_why(folder: LockedFolder) -> None:
    (folder.path / "valkey").mkdir()
    (folder.path / "valkey/appendonlydir").write_text("in the way")
    with pytest.raises(
        ConfigError, match=r"data\.folder: the embedded Valkey did not start: .*(append|Not a dir)"
    ):
        EmbeddedStore(folder).start()


def test_a_store_ends_with_the_process_that_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "LOCK_S", WAIT_S)
    script = (
        "import os, sys; from pathlib import Path; from web.server.valkey import *\n"
        "store = EmbeddedStore(LockedFolder(Path(sys.argv[1]))); store.start()\n"
        "print(store.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert int(said.stdout) > 0
    # This succeeds only if the store has ended: a running store holds the lock of the folder.
    locked = LockedFolder(tmp_path)
    locked.close()


def test_versions_are_compared_by_number() -> None:
    assert parse_version("10.0.1") > parse_version("7.0") > parse_version("6.2.14-alpha")
