"""Tests that, when the workers restart one after another, all clients reconnect soon and stay evenly
spread (docs/RELIABILITY.md row 36).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from signalling.clients.reconnecting import ReturningClient
from tests.benchmarks.peers import Login
from tests.benchmarks.server import BenchServer
from tests.conftest import StartServer
from tests.faults.conftest import Measured
from tests.server import RunningServer
from tests.signalling.waits import until
from web.config import parse
from web.peers.cli.local import ORGANISATION
from web.server.throwaway import UNLIMITED, Throwaway

START_S = 60.0


class Member:
    """A member of staff with an open page.

    `away_s`: for each loss of the connection, the time in s until the next connection.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, login: Login) -> None:
        headers = {"Cookie": login.cookie, "Origin": url}
        self._client = ReturningClient.to(
            http, f"{url}/{ORGANISATION}/ws", login.role, headers=headers, timeout_s=20
        )
        self.away_s: list[float] = []
        self._seen_s = 0.0
        self._task = asyncio.create_task(self._run())
        self._watch = asyncio.create_task(self._look())

    async def _run(self) -> None:
        await self._client.hold("queue", lambda message: None)
        await self._client.run()

    async def _look(self) -> None:
        """Add to `away_s` how long each loss of the connection lasts, until this task is cancelled."""
        client = self._client
        await client.connected.wait()
        while True:
            while client.connected.is_set():
                self._seen_s = time.monotonic()
                await asyncio.sleep(0.05)
            await client.connected.wait()
            self.away_s.append(time.monotonic() - self._seen_s)

    @property
    def worker(self) -> str | None:
        """Return the worker to which this page is connected, None while it is disconnected."""
        return str(self._client.welcome["worker"]) if self._client.connected.is_set() else None

    def back_since(self, time_s: float) -> bool:
        """Return True if the page was connected at `time_s` (monotonic, s) or at any later time."""
        return self.worker is not None or self._seen_s >= time_s

    async def close(self) -> None:
        for task in (self._task, self._watch):
            task.cancel()
        await asyncio.gather(self._task, self._watch, return_exceptions=True)


@asynccontextmanager
async def members(server: RunningServer, valkey_url: str, number: int) -> AsyncIterator[list[Member]]:
    """Yield `number` new members of staff, each with an open page at the server."""
    settings = parse({"redis": {"url": valkey_url}, "data": {"folder": str(server.data)}}, "test")
    logins = await BenchServer(Throwaway(settings, server.url, [], 0)).signed_in(20, number)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        everybody = [Member(http, server.url, login) for login in logins]
        try:
            yield everybody
        finally:
            await asyncio.gather(*(member.close() for member in everybody))


def shares(everybody: Sequence[Member]) -> Counter[str]:
    """Return worker -> the number of pages of these people that are connected to it."""
    return Counter(member.worker for member in everybody if member.worker is not None)


async def roll(server: RunningServer, pids: Sequence[int]) -> None:
    """Stop each worker process of `pids` in turn, and wait each time until `server` has a new process in its place."""
    for pid in pids:
        started = _started(server)
        os.kill(pid, signal.SIGTERM)
        await until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), START_S)  # type: ignore[misc]
        await until(lambda started=started: _started(server) > started, START_S)  # type: ignore[misc]


def _started(server: RunningServer) -> int:
    return server.log.count('"worker.started"')


async def test_r36_a_worker_that_was_restarted_is_given_its_share_of_the_sockets(
    greenroom_server: StartServer, valkey_url: str
) -> None:
    server = greenroom_server(2, redis={"url": valkey_url}, log={"format": "json"}, limits=UNLIMITED)
    async with members(server, valkey_url, 60) as everybody:
        await until(lambda: shares(everybody).total() == 60, START_S)
        await roll(server, server.pids[:1])

        def even() -> bool:
            held = shares(everybody)
            return held.total() == 60 and len(held) == 2 and max(held.values()) <= 40

        await until(even, START_S)


@pytest.mark.minutes
async def test_r36_no_worker_holds_most_sockets_a_minute_after_all_were_rolled(
    greenroom_server: StartServer, valkey_url: str, measured: Measured
) -> None:
    number, workers = 1000, 4
    server = greenroom_server(workers, redis={"url": valkey_url}, log={"format": "json"}, limits=UNLIMITED)
    async with members(server, valkey_url, number) as everybody:
        await until(lambda: shares(everybody).total() == number, START_S)
        await roll(server, server.pids)
        rolled_s = time.monotonic()
        await until(lambda: all(member.back_since(rolled_s) for member in everybody), START_S)
        back_s = time.monotonic() - rolled_s
        await asyncio.sleep(60)
        held = shares(everybody)
        measured(
            "F",
            f"{number} sockets back after a rolling restart of {workers} workers",
            back_s,
            "s",
            at_most=10,
        )
        longest = max(max(member.away_s, default=0.0) for member in everybody)
        measured("F", "the longest that one of them was away at a time", longest, "s", at_most=10)
        assert held.total() == number
        assert len(held) == workers
        share = max(held.values()) / number * 100
        measured(
            "R36", f"largest share of a worker a minute later ({number} sockets)", share, "%", at_most=40
        )
