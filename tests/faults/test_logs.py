"""Tests that a log that cannot be written disturbs nobody: standard error of the real server is full or not read.

In each test a visit is opened, a guest is invited and joins, the store is killed, and the server continues.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from aiohttp import ClientSession, ClientTimeout, CookieJar

from tests.conftest import StartServer
from tests.faults.conftest import Measured
from tests.limits import WAIT_S
from tests.ports import free_ports
from tests.server import CONSOLE_SCRIPT, RunningServer
from tests.web.site import FORM, OSEI
from web.config import load
from web.organisations import demo

F_SETPIPE_SZ = 1031
"""A command of fcntl(2), on Linux only: it sets the size of a pipe."""


@pytest.fixture
def descriptors() -> Iterator[Callable[[str], tuple[int | None, int | None]]]:
    """A function that opens a file or pipe to be the standard error of a server: it accepts no text, or soon no more.

    Its argument is "full" (a full disk), "broken" (a pipe that nobody can read) or "unread" (a pipe that nobody reads).
    It returns (the descriptor to write to, the descriptor to read from or None).
    """
    opened: list[int] = []

    def make(kind: str) -> tuple[int | None, int | None]:
        if kind == "full":
            opened.append(os.open("/dev/full", os.O_WRONLY))
            return opened[-1], None
        reader, writer = os.pipe()
        opened.append(writer)
        if kind == "broken":
            os.close(reader)
            return writer, None
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
        opened.append(reader)
        return writer, reader

    yield make
    for descriptor in opened:
        with contextlib.suppress(OSError):
            os.close(descriptor)


async def until(condition: Callable[[], Any], within_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@asynccontextmanager
async def somebody(server: RunningServer) -> AsyncIterator[ClientSession]:
    async with ClientSession(
        server.url,
        cookie_jar=CookieJar(unsafe=True),
        headers={"Origin": server.url},
        timeout=ClientTimeout(total=WAIT_S),
    ) as session:
        yield session


async def reply_to(ws: Any, **message: Any) -> dict[str, Any]:
    """Send a message on the socket `ws`; return the reply to it."""
    await ws.send_json({"id": 9, **message})
    while True:
        answer: dict[str, Any] = await ws.receive_json(timeout=WAIT_S)
        if answer.get("reply_to") == 9:
            return answer


async def meet_now(server: RunningServer) -> int:
    async with somebody(server) as ana:
        answer = await ana.post("/demo/information", data=FORM, allow_redirects=False)
        return answer.status


async def guest_joins(server: RunningServer) -> int:
    """Claim the waiting visit and invite a guest; return the HTTP status when the guest opens the link."""
    async with somebody(server) as osei, somebody(server) as rosa:
        signs_in = {"email": OSEI, "password": demo.password(load(server.config), OSEI)}
        assert (await osei.post("/demo/staff/sign-in", data=signs_in)).status == 200
        ws = await osei.ws_connect("/demo/ws", protocols=("greenroom.v1.json",))
        assert (await reply_to(ws, type="hello", role="staff"))["type"] == "welcome"
        assert (await reply_to(ws, type="on_call", on=True))["type"] == "done"
        await ws.send_json({"type": "subscribe", "id": 2, "topic": "queue"})
        while (shown := await ws.receive_json(timeout=WAIT_S))["type"] != "queue.snapshot":
            pass
        visit = shown["rows"][0]["visit"]
        assert (await reply_to(ws, type="visit.claim", visit=visit))["type"] == "done"
        invited = await reply_to(
            ws, type="visit.invite", visit=visit, name="Rosa Diaz", relation="interpreter"
        )
        return (await rosa.post(invited["path"])).status


def store_pid(server: RunningServer) -> int:
    url = (server.data / "valkey/address").read_text()
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=20) as client:
        return int(client.info("server")["process_id"])
    return 0


@pytest.mark.parametrize(
    "kind", ["full", *(pytest.param(kind, marks=pytest.mark.minutes) for kind in ("unread", "broken"))]
)
async def test_r29_a_log_that_cannot_be_written_does_not_disturb_the_server(
    kind: str, start_server: StartServer, descriptors: Any, measured: Measured
) -> None:
    stderr, reader = descriptors(kind)
    (port,) = free_ports(1)
    server = start_server(
        {"server": {"port": port}, "log": {"level": "debug", "format": "json"}}, stderr=stderr
    )
    os.close(stderr)
    server.url = f"http://127.0.0.1:{port}"
    await until(lambda: server.status("/readyz") == 200)
    if kind == "unread":
        for _ in range(40):  # each of these requests logs a line; together they fill the buffer of the pipe
            server.status("/healthz")
    workers = server.pids
    assert await meet_now(server) == 303
    began = time.perf_counter()
    assert await guest_joins(server) == 200
    measured(
        "R29",
        f"sign-in, claim, invite and join with standard error {kind}",
        time.perf_counter() - began,
        "s",
        at_most=2,
    )
    killed = store_pid(server)
    assert killed, "0 is the group of this process"
    os.kill(killed, signal.SIGKILL)
    await until(lambda: store_pid(server) not in (0, killed))
    await until(lambda: server.status("/readyz") == 200)
    assert server.pids == workers
    assert await meet_now(server) == 303
    if reader is not None:
        assert await asyncio.to_thread(told_lost, reader) > 10
    assert server.stop() == 0


def told_lost(reader: int) -> int:
    """Read the log until it reports more than ten lost lines, but at most for WAIT_S; return the
    reported number.

    `reader`: the descriptor from which the log is read.
    """
    os.set_blocking(reader, False)
    found, deadline = b"", time.monotonic() + WAIT_S
    while time.monotonic() < deadline and lost_in(found) <= 10:
        with contextlib.suppress(BlockingIOError):
            found += os.read(reader, 65536)
        time.sleep(0.02)
    return lost_in(found)


def lost_in(log: bytes) -> int:
    """Return the number of lost lines that the log reports."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith(b"{") and line.endswith(b"}")]
    return sum(event["count"] for event in events if event["event"] == "logs.lost")


@pytest.mark.minutes
def test_r29_a_server_without_standard_streams_starts_and_logs_into_no_other_file(
    start_server: StartServer,
) -> None:
    closed = ["sh", "-c", 'exec >&- 2>&-; exec "$0" serve --config "$1"', CONSOLE_SCRIPT[0]]
    (port,) = free_ports(1)
    server = start_server({"server": {"port": port}}, command=closed, quick=False)
    server.url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + WAIT_S
    while server.status("/readyz") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.status("/demo") == 200
    for descriptor in (1, 2):
        assert os.readlink(f"/proc/{server.pids[0]}/fd/{descriptor}") == "/dev/null"
    assert server.stop() == 0
