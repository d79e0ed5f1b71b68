"""Tests rotations of the data key: while servers write, killed in the middle, and with an incomplete store or file."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.jobs import Jobs, new_job
from signalling.store.records import Store
from signalling.store.redis_connection import SharedRedis
from signalling.visit.record import Visit
from tests.benchmarks.visits import open_visit
from tests.limits import WAIT_S
from tests.prepared import GREENROOM
from tests.server import toml
from tests.signalling.waits import until
from tests.web.conftest import OpenSite
from tests.web.server.test_store_rewriting import in_store
from tests.web.site import Site, settings_for
from web.backups.restoring import restore
from web.backups.taking import take
from web.config import parse
from web.doctor.machine import data_key
from web.errors import CommandError, ConfigError
from web.keys import AUDIT_LOG, REDIS, SEAL, SERVICE
from web.metrics import report
from web.server import data_key as secret
from web.server import key_rotation
from web.server.key_rotation import Follower, Rotated, rotate
from web.server.valkey import EmbeddedStore, LockedFolder

ORG = "demo"


def quiet(step: str, done: int, whole: int) -> None:
    """Ignore the progress of a rotation: a rotation calls this function at each step."""


def folder_of(site: Site) -> Path:
    """Return the data folder of a site."""
    return Path(site.settings.data.folder)


def newest(site: Site) -> bytes:
    """Return the data key with which new records of a site are encrypted."""
    return list(secret.keys_in(secret.content(folder_of(site))).values())[-1]


async def turned(site: Site) -> Rotated:
    """Rotate the key of a site's store and data folder; return the result."""
    return await rotate(site.settings, quiet)


async def left(site: Site, key: bytes) -> set[bytes]:
    """Return the first bytes of each encrypted text in the store that `key` has encrypted.

    The key HEAD has a copy of the first bytes of the newest event (`mark`); this copy is left out.
    """
    mark: Any = await site.app[REDIS].hget(keys.HEAD(ORG), "mark")
    return await asyncio.to_thread(in_store, site.settings.redis.url, key) - {mark[:29]}


async def called(*arguments: str) -> asyncio.subprocess.Process:
    """Start the command `greenroom` with these arguments; return its process."""
    return await asyncio.create_subprocess_exec(GREENROOM, *arguments, stdout=asyncio.subprocess.PIPE)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes workers look for new keys and report more often, and rotations wait longer for them."""
    monkeypatch.setattr(key_rotation, "PATIENCE_S", WAIT_S)
    monkeypatch.setattr(key_rotation, "LOOK_S", 0.1)
    monkeypatch.setattr(report, "EVERY_S", 0.2)


@asynccontextmanager
async def writing(*sites: Site) -> AsyncIterator[list[str]]:
    """Open visits on these servers without a pause; yield the ids of those that the store has acknowledged."""
    opened: list[str] = []

    async def write(site: Site) -> None:
        while True:
            opened.append(await open_visit(site.app[SERVICE].store, ORG))
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(write(site)) for site in sites]
    try:
        await until(lambda: len(opened) > 10)
        yield opened
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_rotation_under_load_on_two_servers_loses_no_write_and_nothing_needs_the_old_key(
    open_site: OpenSite, often: None, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await open_site()
    await site.person().ask_for_a_visit()
    old, path = newest(site), folder_of(site) / secret.FILE
    (tmp_path / "other").mkdir()
    shutil.copy(path, tmp_path / "other")
    async with Site(settings_for(valkey_url, tmp_path / "other")) as other, writing(site, other) as opened:
        with monkeypatch.context() as patched:
            patched.setattr(key_rotation, "PATIENCE_S", 2.0)
            with pytest.raises(CommandError, match=r"do not know the new key yet: copy .*secret\.key"):
                await turned(site)
        assert await site.app[REDIS].get(keys.DATA_KEY()) == secret.key_id(old), "nothing is switched"
        with pytest.raises(CommandError, match="has not finished"):
            take(site.settings, tmp_path / "backup", quiet, with_key=False)
        shutil.copy(path, tmp_path / "other")
        before = len(opened)
        found = await turned(site)
        assert found.records > before
        assert len(opened) > before
        shutil.copy(path, tmp_path / "other")
        await until(lambda: site.app[SEAL].ids == other.app[SEAL].ids == (found.key.encode(),))
        await until(lambda: len(opened) > before + 10)
    assert secret.content(folder_of(site)) == old + newest(site)
    assert await left(site, old) == set()
    reader = Store(site.app[REDIS], Seal({secret.key_id(newest(site)): newest(site)}))
    for visit in opened:
        record, _ = await reader.load(ORG, Visit, visit)
        assert record is not None
    snapshot = await reader.snapshot(ORG)
    assert {*opened} < {*snapshot.visits}
    mirror = await site.app[SERVICE].mirrors.get(ORG)
    await until(lambda: mirror.visits.keys() == snapshot.visits.keys())
    assert (await site.app[AUDIT_LOG].head(ORG)) is not None
    assert await site.app[REDIS].exists(keys.ERASED()), "the store's file is rewritten"


async def test_a_rotation_that_was_killed_is_continued_and_the_next_one_drops_the_key_before(
    open_site: OpenSite, often: None, valkey_url: str, tmp_path: Path
) -> None:
    site = await open_site()
    redis, first = site.app[REDIS], newest(site)
    for _ in range(20):
        await open_visit(site.app[SERVICE].store, ORG)
    queue = Jobs(redis, site.app[SEAL], "held")
    await queue.add(ORG, new_job("held", {}, 1))
    # The taken job is encrypted with the old key, so this key is needed until the job is done.
    (held,) = await queue.take(ORG, 1)
    config = tmp_path / "config.toml"
    folder = str(folder_of(site))
    config.write_text(toml({"redis": {"url": valkey_url}, "data": {"folder": folder}}), "utf-8")
    command = await called("rotate-keys", "--config", str(config))

    async def switched() -> bool:
        named: Any = await redis.get(keys.DATA_KEY())
        return bool(named != secret.key_id(first))

    await until(switched)
    command.send_signal(signal.SIGKILL)
    await command.wait()
    assert len(secret.content(folder_of(site))) == 3 * secret.BYTES
    assert "has not finished" in data_key(site.settings).found

    await queue.done(ORG, held)
    second = newest(site)
    command = await called("rotate-keys", "--json", "--config", str(config))
    said, _ = await command.communicate()
    assert command.returncode == 0
    assert json.loads(said)["key"] == secret.key_id(second).decode()
    assert secret.content(folder_of(site)) == first + second
    assert await left(site, first) == set()

    found = await turned(site)
    assert found.records >= 20
    assert secret.content(folder_of(site)) == first + newest(site)
    assert newest(site) not in (first, second)
    assert await left(site, second) == set()
    await asyncio.to_thread(take, site.settings, tmp_path / "backup", quiet, with_key=True)
    empty = tmp_path / "empty"
    await asyncio.to_thread(
        restore, parse({"data": {"folder": str(empty)}}, "test"), tmp_path / "backup", quiet
    )
    assert secret.content(empty) == first + newest(site)
    lock = LockedFolder(empty)
    store = EmbeddedStore(lock)
    try:
        await asyncio.to_thread(store.start)
        async with SharedRedis.from_url(store.url, socket_timeout=WAIT_S) as client:
            assert await client.get(keys.DATA_KEY()) == secret.key_id(newest(site))
    finally:
        store.stop()
        lock.close()


async def test_the_old_key_stays_as_long_as_a_worker_has_a_job_that_needs_it(
    valkey: Redis, valkey_url: str, tmp_path: Path
) -> None:
    secret.make_data_key(tmp_path)
    root = secret.data_key(tmp_path)
    queue = Jobs(valkey, Seal({secret.key_id(root): root}), "held")
    await queue.add(ORG, new_job("held", {}, 1))
    (held,) = await queue.take(ORG, 1)
    steps: list[str] = []
    task = asyncio.create_task(
        rotate(settings_for(valkey_url, tmp_path), lambda step, done, whole: steps.append(step))
    )
    await until(lambda: steps.count("encrypting") > 2 or task.done())
    assert not task.done()
    assert len(secret.content(tmp_path)) == 3 * secret.BYTES
    await queue.done(ORG, held)
    await task
    assert len(secret.content(tmp_path)) == 2 * secret.BYTES


async def test_a_second_rotation_at_the_same_time_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "PATIENCE_S", 0.1)
    await site.app[REDIS].set(keys.ROTATING(), b"another", px=60_000)
    before = secret.content(folder_of(site))
    with pytest.raises(CommandError, match="another `greenroom rotate-keys` is at work"):
        await turned(site)
    assert secret.content(folder_of(site)) == before


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A data folder in which the data key is a mounted file, as in a container."""
    outside, data = tmp_path / "outside", tmp_path / "data"
    secret.make_data_key(outside)
    data.mkdir()
    path = data / secret.FILE
    path.touch()
    if subprocess.run(["mount", "--bind", outside / secret.FILE, path], capture_output=True).returncode:
        pytest.skip("no file may be mounted here")
    yield data
    subprocess.run(["umount", path], check=True)


async def test_a_key_that_is_mounted_as_a_file_is_named_with_the_way_to_rotate_it(
    valkey: Redis, valkey_url: str, mounted: Path
) -> None:
    before = secret.content(mounted)
    with pytest.raises(
        CommandError, match=r"^\S+/secret\.key is mounted as a file, .* a copy in another folder"
    ):
        await rotate(settings_for(valkey_url, mounted), quiet)
    assert secret.content(mounted) == before
    assert await valkey.get(keys.DATA_KEY()) == secret.key_id(before)


async def test_a_wrong_key_a_cluster_and_a_value_that_cannot_be_decrypted_are_a_sentence_each(
    valkey: Redis, valkey_url: str, tmp_path: Path
) -> None:
    settings = settings_for(valkey_url, tmp_path)
    secret.make_data_key(tmp_path)
    old, place = secret.data_key(tmp_path), keys.VISIT(ORG, "v_1")
    await valkey.set(keys.DATA_KEY(), b"00000000")
    with pytest.raises(ConfigError, match="not the key"):
        await rotate(settings, quiet)
    await valkey.set(keys.DATA_KEY(), secret.key_id(old))
    await valkey.hset(place, "record", Seal({secret.key_id(old): old}).close(b"moved", "elsewhere"))
    with pytest.raises(CommandError, match=r"the old key stays \(\{demo\}:visit:v_1"):
        await rotate(settings, quiet)
    assert len(secret.content(tmp_path)) == 3 * secret.BYTES
    cluster = settings_for("redis+cluster://127.0.0.1:1", tmp_path)
    with pytest.raises(CommandError, match="cluster cannot be rotated"):
        await rotate(cluster, quiet)


async def test_a_worker_keeps_its_keys_while_the_file_is_written_and_takes_up_what_the_store_names(
    valkey: Redis, tmp_path: Path
) -> None:
    one, two, path = b"1" * 32, b"2" * 32, tmp_path / secret.FILE
    names = [secret.key_id(key) for key in (one, two)]
    seal = Seal(secret.keys_in(one))
    follower = Follower(valkey, tmp_path, seal)
    await valkey.set(keys.DATA_KEY(), names[0])
    for content, ids in (
        (one, names[:1]),
        (one + one + two, names[::-1]),
        (one + one + two[:5], names[::-1]),
        (one + two, names[::-1]),
    ):
        path.write_bytes(content)
        await follower.look()
        assert list(seal.ids) == ids
    path.write_bytes(one + one + two)
    await valkey.set(keys.DATA_KEY(), names[1])
    await follower.look()
    assert list(seal.ids) == names
    path.unlink()
    await follower.look()
    assert list(seal.ids) == names
    await valkey.set(keys.DATA_KEY(), b"another")
    with capture_logs() as logged:
        for _ in range(2):
            await follower.look()
    assert [each["event"] for each in logged] == ["key.missing"]
    assert list(seal.ids) == names
    await valkey.set(keys.DATA_KEY(), names[1])
    path.write_bytes(one + two)
    await follower.look()
    assert list(seal.ids) == names[1:]
