"""Tests backups of a running server, and that they can be restored into a data folder or into another store."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from signalling.store import keys
from signalling.store.event_stream import EventStream
from tests.benchmarks.visits import open_visits
from tests.conftest import StartServer
from tests.server import RunningServer, toml
from tests.web.commands.test_organisations import greenroom
from tests.web.server.test_scheduling import slice_of
from web.backups import snapshot, store_content, taking
from web.commands.organisations import located
from web.config import Settings, load, parse
from web.errors import ConfigError
from web.server.data_key import FILE, RESTORING
from web.server.valkey import EmbeddedStore, LockedFolder

ORG = "demo"
MAIL = b"Subject: your visit\n\nAna"


@contextmanager
def load_on(settings: Settings, opened: list[str]) -> Iterator[None]:
    """Open visits without a pause until the block ends. Add the id of each visit that the store has acknowledged to
    `opened`.
    """
    stop = threading.Event()

    async def run() -> None:
        while not stop.is_set():
            opened.extend(await open_visits(settings, ORG, 8))

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        while len(opened) < 40:
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        stop.set()
        thread.join()


def visits_in(store: redis.Redis) -> set[str]:
    """Return the ids of all visits that have a record. Check that the indexes contain no other ids."""
    client: Any = store
    found = {name.decode().rpartition(":")[2] for name in client.keys(keys.VISIT(ORG, "*"))}
    assert {name.decode() for name in client.zrange(keys.OPEN(ORG), 0, -1)} == found
    head, newest = client.hget(keys.HEAD(ORG), "seq"), client.xrevrange(keys.EVENTS(ORG), count=1)[0][0]
    assert newest == head + b"-0"
    return found


def broken(monkeypatch: pytest.MonkeyPatch, server: RunningServer, *arguments: str) -> None:
    """Run a restore that stops in the middle, as if its process were killed."""

    def write(store: redis.Redis, entries: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store_content, "write", write)
        greenroom(server, *arguments, code=130)


def test_r38_a_backup_under_load_restores_on_an_empty_machine_with_every_acknowledged_command(
    greenroom_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey_url: str
) -> None:
    server, file, other = greenroom_server(workers=2), tmp_path / "backup", tmp_path / "other"
    opened: list[str] = []
    with load_on(located(load(server.config)), opened):
        (server.data / "outbox").mkdir()
        (server.data / "outbox" / "a.demo.eml").write_bytes(MAIL)
        before = set(opened)
        said = json.loads(greenroom(server, "backup", str(file), "--json"))
    assert said["visits"] >= len(before)
    assert said["files"] == 1
    assert said["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0
    content = file.read_bytes()
    assert b"riverside" not in content.lower()
    assert (server.data / FILE).read_bytes() not in content
    assert {path.name for path in server.data.iterdir()} >= {"outbox", "valkey"}
    assert not (server.data / "backing-up").exists()
    assert "exists" in greenroom(server, "backup", str(file), code=1)
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "receive_all", lambda *_: os.open("/dev/full/none", os.O_RDONLY))
        assert "cannot be written" in greenroom(server, "backup", f"{file}2", code=1)
    assert not list(tmp_path.glob("backup*.part"))
    assert "in use" in str(refused(server, "restore", str(file)))
    assert server.stop() == 0

    into = ("restore", str(file), "--data", str(other))
    assert "secret.key" in greenroom(server, *into, code=1)
    (other / FILE).write_bytes(b"x" * 32)
    assert "encrypted with the data key" in greenroom(server, *into, code=1)
    shutil.copy(server.data / FILE, other / FILE)
    broken(monkeypatch, server, *into)
    half = LockedFolder(other)
    with pytest.raises(ConfigError, match="has not finished"):
        EmbeddedStore(half)
    half.close()
    assert "complete" in greenroom(server, *into)
    assert {path.name for path in other.iterdir()} == {"lock", FILE, "outbox", "valkey"}
    assert "is not empty" in greenroom(server, *into, code=1)
    assert (other / "outbox" / "a.demo.eml").read_bytes() == MAIL

    restored = greenroom_server(data={"folder": "other"})
    with redis.Redis.from_url(located(load(restored.config)).redis.url) as client:
        found = visits_in(client)
    assert before <= found, "each visit that was acknowledged before the backup began"
    assert len(found) == said["visits"]
    assert "unbroken" in greenroom(restored, "audit", "verify")
    assert restored.stop() == 0

    own = tmp_path / "own.toml"
    own.write_text(toml({"redis": {"url": valkey_url}, "data": {"folder": "own"}}), "utf-8")
    (tmp_path / "own").mkdir()
    shutil.copy(server.data / FILE, tmp_path / "own" / FILE)
    server.config = own
    with redis.Redis.from_url(valkey_url) as client:
        broken(monkeypatch, server, "restore", str(file))
        marked: Any = client.get(keys.DATA_KEY())
        assert marked.startswith(RESTORING)
        greenroom(server, "restore", str(file))
        assert visits_in(client) == found
        assert client.get(keys.DATA_KEY()) == said["key"].encode()
        assert "is not empty" in greenroom(server, "restore", str(file), code=1)


def refused(server: RunningServer, *arguments: str) -> BaseException | None:
    """Run a command with settings that do not allow it; return the error, None if it succeeds."""
    from typer.testing import CliRunner

    from web.commands.main import app

    return CliRunner().invoke(app, [*arguments, "--config", str(server.config)]).exception


def test_r38_a_backup_and_its_second_store_give_the_processor_at_once_to_those_that_wake_up(
    greenroom_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, slices = greenroom_server(workers=1), list[int]()
    started, before = EmbeddedStore.start, slice_of(0)

    def start(store: EmbeddedStore) -> None:
        started(store)
        assert store.pid is not None
        slices.extend(slice_of(process) for process in (0, store.pid))

    monkeypatch.setattr(EmbeddedStore, "start", start)
    taking.take(located(load(server.config)), tmp_path / "backup", lambda *_: None, with_key=False)
    # Linux before 6.12 has no slices, and reports 0.
    assert slices == [taking.SLICE_NS if before else 0] * 2
    if os.geteuid() == 0:
        assert slice_of(0) == before


async def test_a_snapshot_does_not_look_like_another_store(
    valkey_url: str, valkey: Any, tmp_path: Path
) -> None:
    await valkey.set(keys.ERASED(), b"1")
    before = await EventStream(valkey).identities([ORG])
    sizes: list[int] = []
    store = parse({"redis": {"url": valkey_url}}, "test").redis
    (file,) = await asyncio.to_thread(snapshot.receive_all, store, tmp_path, sizes.append)
    found = file.read_bytes()
    assert found.startswith((b"VALKEY", b"REDIS"))
    assert keys.ERASED().encode() in found
    assert sizes[-1] == len(found)
    assert await EventStream(valkey).identities([ORG]) == before


def test_a_copied_key_has_the_same_values_and_one_that_expires_is_left_out(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        store: Any = client
        store.set(keys.ERASED(), b"\0\xff")
        store.rpush(keys.AUDIT(ORG), *range(2500))
        store.sadd(keys.ORGANISATIONS(), "a", "b")
        store.hset(keys.ACCOUNTS(ORG), mapping={str(n): b"\x80" * n for n in range(1500)})
        store.zadd(keys.DEADLINES(ORG), {"v_1": 1764316800123, "v_2": 0.1})
        for number in (3, 4):
            store.xadd(keys.EVENTS(ORG), {"e": b"\xfe"}, id=f"{number}-0")
        store.xdel(keys.EVENTS(ORG), "3-0")
        store.set(keys.DATA_KEY(), b"k")
        store.set(keys.WORKER("w"), b"1", ex=60)

        def content() -> dict[bytes, Any]:
            return {
                entry[0]: sorted(entry[2]) if entry[1] in (b"set", b"hash") else entry[2]
                for _, entries in store_content.read(store)
                for entry in entries
            }

        copied = [entries for _, entries in store_content.read(store)]
        before = content()
        assert len(before) == 6
        store.flushall()
        for entries in copied:
            store_content.write(store, entries)
            # The first write is that of a restore that is killed afterwards, the second write is that of the next
            # restore.
            store_content.write(store, entries)
        assert content() == before
        store.flushall()
