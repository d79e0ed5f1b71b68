"""Tests backups of a cluster of stores: complete for each organisation, and restored to any store.

This is row 38 of docs/RELIABILITY.md.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from signalling.store import keys
from tests.faults.nodes import DOWN_MS, SLOTS, Cluster, ask, cluster
from tests.faults.sentinels import wait_for
from tests.faults.test_cluster import SLOT, other
from tests.faults.test_sentinel import clinic_at, writing
from tests.limits import WAIT_S
from tests.signalling.clinic import ORG
from web.backups import snapshot
from web.backups.restoring import restore
from web.backups.taking import take
from web.commands.backups import taken
from web.config import Settings, parse
from web.errors import CommandError
from web.server.data_key import FILE
from web.server.redis_client import connect_now
from web.server.valkey import EmbeddedStore, LockedFolder

CLINICS = [f"clinic-{number}" for number in range(12)]
"""Organisations, of which each of three masters has some."""


def settings_with(folder: Path, url: str = "") -> Settings:
    """Return settings with a new data folder, in which there is only the data key, and the store at `url`."""
    folder.mkdir()
    (folder / FILE).write_bytes(b"k" * 32)
    return parse({"redis": {"url": url}, "data": {"folder": str(folder)}}, "test")


def nothing(step: str, done: int, whole: int) -> None:
    """Do nothing when the progress is reported."""


def content(store: Any) -> dict[bytes, Any]:
    """Return the documents of CLINICS and the visits of ORG in a store. Check that the index has the same visits."""
    names = list(store.scan_iter(match=keys.VISIT(ORG, "*")))
    visits = {name.rpartition(b":")[2] for name in names}
    assert set(store.zrange(keys.OPEN(ORG), 0, -1)) == visits
    documents = {keys.ORGANISATION(name).encode(): store.get(keys.ORGANISATION(name)) for name in CLINICS}
    return {**documents, **{name: store.hgetall(name) for name in names}}


@pytest.mark.long
async def test_r38_a_backup_of_a_cluster_under_load_is_restored_into_one_server_and_from_there_into_a_cluster(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path / "nodes") as nodes:
        mine, file = settings_with(tmp_path / "mine", nodes.url), tmp_path / "backup"
        with connect_now(mine.redis, WAIT_S) as client:
            for name in CLINICS:
                client.set(keys.ORGANISATION(name), name)
        async with clinic_at(nodes.url) as at, writing(at) as writer:
            await writer.more()
            before = set(writer.kept)
            made = await asyncio.to_thread(partial(take, mine, file, nothing, with_key=False))
        assert made.counts.visits >= len(before)

        one = settings_with(tmp_path / "one")
        restore(one, file, nothing)
        lock = LockedFolder(tmp_path / "one")
        store = EmbeddedStore(lock)
        store.start()
        try:
            with redis.Redis.from_url(store.url) as client:
                restored = content(client)
            assert {keys.VISIT(ORG, visit).encode() for visit in before} <= restored.keys()
            assert [restored[keys.ORGANISATION(name).encode()] for name in CLINICS] == [
                *map(str.encode, CLINICS)
            ]
            again = tmp_path / "again"
            take(parse({"redis": {"url": store.url}, "data": {"folder": str(lock.path)}}, "test"), again, nothing,
                 with_key=False)  # fmt: skip
        finally:
            store.stop()
            lock.close()

        into = settings_with(tmp_path / "into", nodes.url)
        with pytest.raises(CommandError, match="is not empty"):
            restore(into, again, nothing)
        for node in nodes.masters:
            ask(node, "FLUSHALL")
        restore(into, again, nothing)
        with connect_now(into.redis, WAIT_S) as client:
            assert content(client) == restored
            assert {node.says("keyspace", "db0")["keys"] > 0 for node in nodes.masters} == {True}


@pytest.mark.long
def test_r38_a_backup_of_a_cluster_is_refused_while_slots_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster(tmp_path / "nodes", copies=False) as nodes:
        mine = settings_with(tmp_path / "mine", nodes.url)
        refused = partial(is_refused, mine, tmp_path / "backup")
        receive = snapshot.receive

        def moving(server: Any, path: Path, received: Any) -> None:
            receive(server, path, received)
            if path.name == "1.rdb":
                nodes.move(SLOT, other(nodes))

        with monkeypatch.context() as patched:
            patched.setattr(snapshot, "receive", moving)
            refused("slots of the cluster moved")
        begin_move(nodes)
        refused("slots of the cluster moved")
    assert {path.name for path in (tmp_path / "mine").iterdir()} <= {FILE, "lock"}


def begin_move(nodes: Cluster) -> None:
    """Begin to move the slot (group of keys) SLOT to another master, and do not finish."""
    source, to = nodes.owner(SLOT), other(nodes)
    ask(to, "CLUSTER", "SETSLOT", SLOT, "IMPORTING", nodes.id(source))
    ask(source, "CLUSTER", "SETSLOT", SLOT, "MIGRATING", nodes.id(to))


def is_refused(settings: Settings, file: Path, reason: str) -> None:
    """Check that a backup is refused for this reason, and leaves no file."""
    with pytest.raises(CommandError, match=reason):
        take(settings, file, nothing, with_key=False)
    assert not list(file.parent.glob(f"{file.name}*"))


def test_r38_a_backup_waits_for_the_failover_of_a_dead_node(tmp_path: Path) -> None:
    with cluster(tmp_path / "nodes", down_ms=DOWN_MS) as nodes:
        mine = settings_with(tmp_path / "mine", nodes.url)
        with connect_now(mine.redis, WAIT_S) as client:
            client.sadd(keys.ORGANISATIONS(), *CLINICS)
            for name in CLINICS:
                client.set(keys.ORGANISATION(name), name)
        nodes.masters[0].end()
        taken(mine, tmp_path / "backup", quiet=True)
        restored = settings_with(tmp_path / "one")
        assert restore(restored, tmp_path / "backup", nothing).counts.keys > 2 * len(CLINICS)


def test_r38_a_backup_of_a_cluster_is_refused_while_an_organisation_may_be_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "FAILOVER_S", 0.0)
    with cluster(tmp_path / "nodes", copies=False, down_ms=DOWN_MS) as nodes:
        mine, dead = settings_with(tmp_path / "mine", nodes.url), nodes.masters[0]
        ask(nodes.masters[1], "CLUSTER", "DELSLOTS", SLOTS // 2)
        is_refused(mine, tmp_path / "backup", "1 of 16384 slots of the cluster have no node")
        dead.end()
        wait_for(lambda: b"fail" in ask(nodes.masters[1], "CLUSTER", "NODES"))
        is_refused(mine, tmp_path / "backup", f"127.0.0.1:{dead.port} of the cluster does not answer")
