"""Tests several machines on one store: each gets a part of the calls, and no machine more than its limit.

Whole visits go on while one machine dies, one stops and one joins. This is row 40 of docs/RELIABILITY.md.

Each machine is the real server with a data folder of its own. The people in the calls send packets without an
encoder.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
import redis.asyncio

from signalling.errors import RequestError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.record import Visit
from tests.benchmarks import visits
from tests.benchmarks.peers import Login
from tests.benchmarks.server import BenchServer
from tests.faults.caller import Caller, call, until_received
from tests.faults.conftest import Measured
from tests.server import RunningServer
from tests.signalling.waits import until
from web.config import parse
from web.metrics.report import reports
from web.peers.cli.local import ORGANISATION
from web.server.data_key import content, keys_in
from web.server.throwaway import UNLIMITED, Throwaway

MACHINES, MOST = 4, 2
CALLS = MACHINES * MOST - 2
START_S = 60.0


class People:
    """Providers and patients of one organisation, whose pages are spread evenly over the machines."""

    def __init__(self, http: aiohttp.ClientSession, servers: Sequence[RunningServer], store: Any) -> None:
        self._http = http
        self.servers = list(servers)
        self.store = store
        self._staff: list[Login] = []
        self._patients: list[tuple[Login, str]] = []
        self._turn = 0

    async def arrive(self, valkey_url: str, number: int) -> None:
        """Make the organisation, with this number of providers and of waiting patients."""
        first = self.servers[0]
        settings = parse({"redis": {"url": valkey_url}, "data": {"folder": str(first.data)}}, "test")
        self._staff = await BenchServer(Throwaway(settings, first.url, [], 0)).signed_in(number, number)
        opened = await visits.open_visits(settings, ORGANISATION, number)
        logins = await visits.patients(settings, ORGANISATION, opened)
        self._patients = list(zip(logins, opened, strict=True))

    def _caller(self, login: Login, visit: str) -> Caller:
        self._turn += 1
        at = self._turn % len(self.servers)
        urls = [
            f"{server.url.replace('http', 'ws')}/{ORGANISATION}/ws"
            for server in (*self.servers[at:], *self.servers[:at])
        ]
        return Caller(self._http, login.role, {"Cookie": login.cookie}, visit, urls)

    def next(self) -> tuple[Caller, Caller]:
        """Return the next patient in line and a provider."""
        login, visit = self._patients.pop(0)
        return self._caller(login, visit), self._caller(self._staff.pop(0), visit)

    async def owners(self, callers: Sequence[Caller]) -> Counter[str]:
        """Return worker -> the number of these people's calls that it carries."""
        names = [keys.LEASE(ORGANISATION, visit) for visit in {caller.visit for caller in callers}]
        found = [await self.store.hget(name, "owner") for name in names]
        return Counter(owner.decode() for owner in found if owner is not None)

    async def statuses(self, callers: Sequence[Caller]) -> set[str]:
        """Return the statuses that the visits of these people have in the store."""
        store = Store(self.store, Seal(keys_in(content(self.servers[-1].data))))
        found = [(await store.load(ORGANISATION, Visit, caller.visit))[0] for caller in callers]
        return {str(visit.status) for visit in found if visit is not None}


@asynccontextmanager
async def people(servers: Sequence[RunningServer], valkey_url: str, number: int) -> AsyncIterator[People]:
    """Yield `number` providers and as many waiting patients, who may connect to these servers.

    `valkey_url`: the URL of the servers' store.
    """
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        redis.asyncio.Redis.from_url(valkey_url) as store,
    ):
        found = People(http, servers, store)
        await found.arrive(valkey_url, number)
        yield found


async def registered(store: Any) -> dict[int, str]:
    """Return process id -> worker id, for the workers that accept new calls."""
    return {report.pid: report.worker for report in await reports(store) if not report.draining}


@pytest.mark.minutes
async def test_r40_visits_on_four_machines_go_on_while_one_dies_one_stops_and_one_joins(
    machines: Callable[..., RunningServer], valkey_url: str, measured: Measured
) -> None:
    servers = [machines(media={"rooms_max": MOST}, limits=UNLIMITED) for _ in range(MACHINES)]
    async with people(servers, valkey_url, CALLS + 4) as crowd, AsyncExitStack() as calls:
        await until(lambda: _all_of(crowd.store, servers), START_S)
        callers: list[Caller] = []
        for _ in range(CALLS):
            pair = crowd.next()
            await calls.enter_async_context(call(*pair))
            callers += pair
        before = await crowd.owners(callers)
        assert len(before) == MACHINES, "no machine is left out"
        assert max(before.values()) <= MOST

        dies, stops = servers[:2]
        killed_s = time.monotonic()
        os.killpg(dies.process.pid, signal.SIGKILL)
        back_s = await until_received(callers, killed_s + 0.05, 20)
        assert await crowd.statuses(callers) == {"live"}, "nobody presses anything again"
        after = await crowd.owners(callers)
        assert after.total() == CALLS
        assert len(after) == MACHINES - 1

        # The three machines that still run carry CALLS calls, which is their limit. So a further claim is
        # refused until another machine joins.
        await until(lambda: _all_of(crowd.store, servers[1:]), START_S)
        crowd.servers = servers[1:]
        patient, provider = crowd.next()
        await patient.open()
        await provider.open()
        await until(lambda: _refused(provider), START_S)
        assert await crowd.statuses([patient]) == {"queued"}
        joins_s = time.monotonic()
        servers.append(machines(media={"rooms_max": MOST}, limits=UNLIMITED))
        started_s = time.monotonic()
        await until(lambda: _claims(provider), START_S)
        taken_s = time.monotonic() - started_s
        assert started_s - joins_s < START_S
        await provider.join()
        await patient.join()
        callers += (patient, provider)
        await until_received(callers, time.monotonic(), 20)
        assert max((await crowd.owners(callers)).values()) <= MOST

        stopped_s = time.monotonic()
        stops.process.send_signal(signal.SIGTERM)
        drained_s = await until_received(callers, stopped_s + 0.5, 30)
        await until(lambda: stops.process.poll() is not None, START_S)
        await until_received(callers, time.monotonic(), 20)
        assert await crowd.statuses(callers) == {"live"}
        assert (await crowd.owners(callers)).total() == CALLS + 1
        for caller in (patient, provider):
            await caller.close()
    measured("R40", "four machines, one killed: all calls receive again", back_s, "s", at_most=3.0)
    measured("R40", "a machine has started: a claim that was refused succeeds", taken_s, "s", at_most=4.0)
    measured("R40", "a machine stops: all calls receive again", drained_s, "s", at_most=5.0)


async def _all_of(store: Any, servers: Sequence[RunningServer]) -> bool:
    """Return True if exactly the workers of these servers accept new calls, according to the store."""
    return set(await registered(store)) == {pid for server in servers for pid in server.pids}


async def _claims(provider: Caller) -> bool:
    """Claim the visit of `provider`; return whether that succeeds."""
    try:
        await provider.client.request("visit.claim", visit=provider.visit)
    except RequestError as refused:
        if refused.code != "at_capacity":
            raise
        return False
    return True


async def _refused(provider: Caller) -> bool:
    """Claim the visit of `provider`; return whether that is refused. If it succeeds, return the visit to the queue."""
    if await _claims(provider):
        await provider.client.request("visit.release", visit=provider.visit)
        await asyncio.sleep(0.2)
        return False
    return True
