"""Tests that visits continue when the master of the stores dies and Sentinels promote its copy.

Events that got lost are noticed. This is row 10 of docs/RELIABILITY.md.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import structlog.testing

from signalling.errors import UnavailableError
from signalling.rooms import worker_messages as wire
from signalling.store import keys
from tests.faults.conftest import Measured
from tests.faults.sentinels import MASTER, Program, watched
from tests.signalling.clinic import ORG, Clinic, open_worker
from tests.signalling.waits import until
from web.config import parse
from web.server.redis_client import connect

USABLE_S = 5.0
SHORT_S = 90.0
ROUNDS = 5
NOTHING = wire.Supersede("c_nobody")


@contextlib.asynccontextmanager
async def clinic_at(url: str) -> AsyncIterator[Clinic]:
    """Yield a clinic that two workers serve, each with its own client of the store at `url`, as in two processes."""
    settings = parse({"redis": {"url": url}}, "test")
    async with contextlib.AsyncExitStack() as stack:
        opened = []
        for index in range(2):
            redis = connect(settings)
            stack.push_async_callback(redis.aclose)
            opened.append(await stack.enter_async_context(open_worker(redis, index)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Clinic([worker for worker, _ in opened], [server for _, server in opened], http)


class Writer:
    """Opens visits at one worker without a pause.

    `kept`: the acknowledged visits. `away_s`: the longest time in s between two acknowledgements.
    """

    def __init__(self, at: Clinic) -> None:
        self.at = at
        self.kept: list[str] = []
        self.away_s = 0.0
        self._last_s = time.monotonic()

    async def run(self) -> None:
        """Open visits until cancelled; record which were acknowledged."""
        while True:
            try:
                patient = await self.at.arrive(0)
            except UnavailableError:
                await asyncio.sleep(0.05)
                continue
            now_s = time.monotonic()
            self.away_s, self._last_s = max(self.away_s, now_s - self._last_s), now_s
            self.kept.append(f"{patient.visit}")
            await asyncio.sleep(0.005)

    async def more(self, number: int = 20) -> None:
        """Return when the store has acknowledged `number` more visits."""
        wanted = len(self.kept) + number
        await until(lambda: len(self.kept) >= wanted, SHORT_S)


@contextlib.asynccontextmanager
async def writing(at: Clinic) -> AsyncIterator[Writer]:
    """Yield a writer that opens visits in the background."""
    writer = Writer(at)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def in_store(at: Clinic) -> set[str]:
    """Return the ids of the open visits that the store has."""
    return set((await at.workers[1].service.store.snapshot(ORG)).visits)


async def same(at: Clinic) -> None:
    """Wait until both workers receive each other's messages, and know the open visits that the store has."""

    async def reached() -> bool:
        sender, receiver = at.workers
        return await sender.bus.publish(keys.worker_channel(receiver.id), wire.encode(NOTHING)) == 1

    async def equal() -> bool:
        try:
            there = await in_store(at)
        except UnavailableError:
            return False  # a new epoch begins at this moment
        mirrors = [await worker.service.mirrors.get(ORG) for worker in at.workers]
        return all({visit.id for visit in mirror.visits.values()} == there for mirror in mirrors)

    await until(reached, SHORT_S)
    await until(equal, SHORT_S)


@pytest.mark.long
async def test_r10_after_a_failover_by_sentinels_visits_go_on_and_a_lost_tail_is_reported(
    tmp_path: Path, measured: Measured
) -> None:
    with watched(tmp_path) as stores, structlog.testing.capture_logs() as logged:
        async with clinic_at(stores.url) as at:
            async with writing(at) as writer:
                await writer.more()
                stores.cut()
                await writer.more()
                stores.master.end()
                writer.away_s = 0.0
                await writer.more()
            measured(
                "R10", "visits usable after a failover by Sentinels", writer.away_s, "s", at_most=USABLE_S
            )
            await same(at)
            assert set(writer.kept) - await in_store(at), "the copy cannot have the newest ones"
            counts = [entry["count"] for entry in logged if entry["event"] == "store.events_lost"]
            assert counts
            assert min(counts) > 0


@pytest.mark.long
async def test_r10_a_former_master_that_no_sentinel_has_demoted_is_left(
    tmp_path: Path, measured: Measured
) -> None:
    with watched(tmp_path, copies=1) as stores:
        async with clinic_at(stores.url) as at:
            async with writing(at) as writer:
                await writer.more()
                _, chosen = stores.stores
                with chosen.client() as client:
                    client.config_set("min-replicas-to-write", 0)
                    client.execute_command("REPLICAOF", "NO", "ONE")
                # The former master stays a master, without a copy, as after two failovers in short succession.
                for sentinel in stores.sentinels:
                    with sentinel.client() as client:
                        client.execute_command("SENTINEL", "REMOVE", MASTER)
                        client.execute_command("SENTINEL", "MONITOR", MASTER, "127.0.0.1", chosen.port, 1)
                writer.away_s = 0.0
                await writer.more()
            what = "visits usable although the former master is still connected"
            measured("R10", what, writer.away_s, "s", at_most=USABLE_S)
            await same(at)
            assert chosen.says("replication", "role") == "master"


def _copies(store: Program) -> bool:
    """Return True if a store is a copy of the master now."""
    return bool(store.says("replication", "master_link_status") == "up")


@pytest.mark.minutes
async def test_r10_failovers_lose_no_acknowledged_command_if_the_master_must_have_a_copy(
    tmp_path: Path, measured: Measured
) -> None:
    with watched(tmp_path, stores=3, copies=1) as stores, structlog.testing.capture_logs() as logged:
        async with clinic_at(stores.url) as at, writing(at) as writer:
            for _ in range(ROUNDS):
                await writer.more(200)
                dead = stores.master
                dead.end()
                await writer.more(200)
                assert stores.master is not dead
                dead.start()
                await until(partial(_copies, dead), SHORT_S)
            lost = set(writer.kept) - await in_store(at)
            measured("R10", "visits usable, longest of five failovers", writer.away_s, "s", at_most=USABLE_S)
            measured("R10", "acknowledged commands lost in five failovers", len(lost), at_most=0)
            assert not [entry for entry in logged if entry["event"] == "store.events_lost"]
