"""Tests that erased data leaves the disk: the data folder has no encrypted text that the store does not have."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.service import Accepted
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.redis_connection import SharedRedis
from signalling.visit import commands as c
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.stored import contents
from tests.web.site import Site, settings_for
from tests.web.test_retention import retention_of
from web.identity.visitors import patient
from web.keys import SERVICE
from web.retention import DAY_MS
from web.server import data_key as secret
from web.server import store_rewriting as rewriting
from web.server.store_rewriting import Rewriting
from web.server.valkey import EmbeddedStore, LockedFolder

ORGANISATION_DAYS = 30


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[tuple[Site, Redis, EmbeddedStore]]:
    """(a site, a client of its store, the store).

    This test has a store of its own. The store's files are in the data folder of the site.
    """
    folder = LockedFolder(tmp_path / "data")
    store = EmbeddedStore(folder)
    store.start()
    client = SharedRedis.from_url(store.url, socket_timeout=WAIT_S)
    async with Site(settings_for(store.url, tmp_path / "data")) as site:
        await site.change(retention_days=ORGANISATION_DAYS)
        yield site, client, store
    await client.aclose()
    store.stop()
    folder.close()


def on_disk(folder: Path, key: bytes) -> set[bytes]:
    """Return the beginning of each encrypted text in any file of the folder: the id of the key, the nonce and eight
    more bytes.
    """
    mark = re.escape(bytes((8,)) + secret.key_id(key))
    texts = b"\0".join(contents(folder))
    return set(re.findall(mark + b".{20}", texts, re.DOTALL))


def in_store(url: str, key: bytes) -> set[bytes]:
    """Return the beginning of each encrypted text in the store at `url`."""
    mark = re.escape(bytes((8,)) + secret.key_id(key))
    found: list[Any] = []
    with redis.Redis.from_url(url) as client:
        for name in client.scan_iter():
            match client.type(name):
                case b"string":
                    found.append(client.get(name))
                case b"hash":
                    found += list(client.hgetall(name).values())
                case b"list":
                    found += client.lrange(name, 0, -1)
                case b"zset":
                    found += client.zrange(name, 0, -1)
                case b"stream":
                    found += [value for _, fields in client.xrange(name) for value in fields.values()]
    texts = b"\0".join(value for value in found if isinstance(value, bytes))
    return set(re.findall(mark + b".{20}", texts, re.DOTALL))


async def erased_visit(site: Site, client: Redis) -> tuple[str, list[bytes]]:
    """Open two visits, and erase the first; return (its id, the encrypted records that it had before)."""
    ana, service = site.person(), site.app[SERVICE]
    await ana.ask_for_a_visit(name="Ana Canary")
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    records = [await sealed(client, visit.id)]
    assert isinstance(
        await service.command(patient("demo", visit.id, "Ana"), visit.id, c.Withdraw()), Accepted
    )
    records.append(await sealed(client, visit.id))
    await asyncio.sleep(0.005)
    before_ms = service.store.clock_ms()
    await asyncio.sleep(0.005)
    await site.person().ask_for_a_visit(name="Bob Stays", phone="(512) 555-0143")
    assert await retention_of(site, client).erase("demo", before_ms + ORGANISATION_DAYS * DAY_MS) == 1
    return visit.id, records


async def sealed(client: Redis, visit: str) -> bytes:
    """Return the visit's record as it is stored, which is encrypted."""
    values: list[bytes] = await client.hvals(f"{{demo}}:visit:{visit}")  # type: ignore[assignment]
    return max(values, key=len)


async def test_s34_erased_data_is_in_no_file_of_the_data_folder(
    kept: tuple[Site, Redis, EmbeddedStore], tmp_path: Path
) -> None:
    site, client, store = kept
    key = secret.data_key(tmp_path / "data")
    visit, records = await erased_visit(site, client)
    assert [Seal({secret.key_id(key): key}).open(record, f"demo/visit/{visit}") for record in records]
    before = on_disk(tmp_path, key)
    gone = before - in_store(store.url, key)
    assert {record[:29] for record in records} <= gone, "deleting alone leaves it in the append-only file"
    assert await Rewriting(client).look()
    # The store removes its old files in the background.
    await until(lambda: not gone & on_disk(tmp_path, key))
    assert in_store(store.url, key), "what stays is there"


async def test_s34_each_erasure_is_followed_by_a_rewriting_but_not_more_often_than_the_pause(
    valkey: Redis,
) -> None:
    one, other = Rewriting(valkey), Rewriting(valkey)
    assert [await one.look(), await other.look()] == [True, False], "the first of the day"
    await valkey.delete(keys.REWRITING())
    assert not await one.look(), "nothing was erased since"
    async with rewriting.erasing(valkey):
        pass
    assert await one.look()
    await rewriting.mark(valkey)
    assert not await other.look(), "the pause"
    await valkey.delete(keys.REWRITING())
    assert await other.look()
    assert await valkey.get(keys.ERASED()) is None


async def test_s34_an_erasure_during_a_rewriting_is_followed_by_another_one(valkey: Redis) -> None:
    class Slow(Rewriting):
        async def _rewrite(self) -> str:
            await rewriting.mark(valkey)
            return await super()._rewrite()

    await rewriting.mark(valkey)
    assert await Slow(valkey).look()
    assert await valkey.get(keys.ERASED()) is not None


async def test_s34_an_erasure_that_fails_after_a_rewriting_has_begun_is_followed_by_another_one(
    valkey: Redis,
) -> None:
    async def fails() -> None:
        async with rewriting.erasing(valkey):
            assert await Rewriting(valkey).look()
            raise UnavailableError("the store is away")

    with pytest.raises(UnavailableError):
        await fails()
    assert await valkey.get(keys.ERASED()) is not None, "a part may have been erased"


async def test_s34_a_store_that_may_not_be_rewritten_is_logged_once_a_day(
    valkey: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await valkey.execute_command("ACL", "SETUSER", "clinic", "on", ">x", "~*", "&*", "+@all", "-bgrewriteaof")
    own: Any = SharedRedis(connection_pool=valkey.connection_pool)
    await own.execute_command("AUTH", "clinic", "x")
    try:
        await rewriting.mark(valkey)
        assert not await Rewriting(own).look()
        await valkey.delete(keys.REWRITING())
        assert not await Rewriting(own).look()
    finally:
        await own.execute_command("AUTH", "default", "")
        await valkey.execute_command("ACL", "DELUSER", "clinic")
    told = capsys.readouterr()
    assert (told.out + told.err).count("erasure.log_not_rewritten") == 1
    assert "NoPermissionError" in told.out + told.err


def test_s34_files_of_an_interrupted_rewriting_are_removed_at_the_next_start(tmp_path: Path) -> None:
    folder = LockedFolder(tmp_path)
    store = EmbeddedStore(folder)
    left = tmp_path / "valkey" / "temp-rewriteaof-bg-77.aof"
    left.write_bytes(b"erased")
    store.start()
    store.stop()
    folder.close()
    assert not left.exists()
