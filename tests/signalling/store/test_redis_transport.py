"""Tests the choice of a transport: redis-py's socket is used only if this works with the installed redis-py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import hiredis
import pytest
from redis.asyncio import Connection, Redis
from redis.asyncio.connection import DefaultParser
from structlog.testing import capture_logs

from signalling.store import redis_transport
from signalling.store.redis_connection import SharedRedis
from signalling.store.redis_transport import DirectTransport, PublicTransport, Transport
from tests.limits import WAIT_S
from tests.signalling.waits import until

Change = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets which transport was chosen, as in a process that has just started, and gives the choice much time."""
    monkeypatch.setattr(redis_transport, "chosen", None)
    monkeypatch.setattr(redis_transport, "TEST_S", WAIT_S)


@pytest.mark.parametrize("kind", [DirectTransport, PublicTransport])
async def test_each_transport_passes_the_test(kind: type[Transport]) -> None:
    assert await redis_transport.works(kind)


async def test_the_socket_is_taken_over_if_that_works_and_tested_once_in_a_process(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = []

    async def works(kind: type[Transport]) -> bool:
        tested.append(kind)
        return True

    with capture_logs() as logs:
        assert await redis_transport.fastest() is DirectTransport
        monkeypatch.setattr(redis_transport, "works", works)
        assert await valkey.ping()
        await valkey.shared.close()  # type: ignore[attr-defined]
        assert await valkey.ping()
    assert not tested
    assert not logs


def has_another_writer(patch: pytest.MonkeyPatch) -> None:
    """Make redis-py look like a version that stores its stream in an attribute with another name."""

    class Renamed(Connection):
        async def connect(self) -> None:
            await super().connect()  # type: ignore[no-untyped-call]
            del self._writer

    patch.setattr(redis_transport, "Connection", Renamed)


def has_a_parser_without_errors(patch: pytest.MonkeyPatch) -> None:
    """Make redis-py look like a version whose parser has no method for the store's errors."""
    patch.setattr(redis_transport, "DefaultParser", object)


def has_other_errors(patch: pytest.MonkeyPatch) -> None:
    """Make redis-py look like a version that raises other errors for the store's replies."""
    patch.setattr(DefaultParser, "parse_error", ValueError)


def keeps_its_stream(patch: pytest.MonkeyPatch) -> None:
    """Make redis-py look like a version whose transport keeps its own protocol, so that our protocol gets no bytes."""

    class Wrapped:
        def __init__(self, transport: Any) -> None:
            self.write, self.abort, self.close = transport.write, transport.abort, transport.close
            self.is_closing = transport.is_closing

        def set_protocol(self, protocol: object) -> None:
            """Ignore the new protocol, and keep the old protocol."""

    class Keeping(Connection):
        async def connect(self) -> None:
            await super().connect()  # type: ignore[no-untyped-call]
            self._writer._transport = Wrapped(self._writer.transport)  # type: ignore[union-attr]

    patch.setattr(redis_transport, "Connection", Keeping)


def hands_pushes_over_as_lists(patch: pytest.MonkeyPatch) -> None:
    """Make hiredis look like a version that returns a push message in the same way as a reply."""

    class Plain(list[Any]):
        pass

    patch.setattr(hiredis, "PushNotification", Plain)


@pytest.mark.parametrize(
    "changed",
    [
        has_another_writer,
        has_a_parser_without_errors,
        has_other_errors,
        keeps_its_stream,
        hands_pushes_over_as_lists,
    ],
)
async def test_the_public_methods_are_used_if_redis_py_has_changed(
    changed: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch)
    monkeypatch.setattr(redis_transport, "TEST_S", 0.5)
    with capture_logs() as logs:
        assert await redis_transport.fastest() is PublicTransport
        assert await redis_transport.fastest() is PublicTransport
    assert [entry["event"] for entry in logs] == ["store.connection_changed"]


async def test_connections_that_open_at_the_same_time_say_once_that_redis_py_has_changed(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_a_parser_without_errors(monkeypatch)
    clients = [SharedRedis.from_url(valkey_url, socket_timeout=WAIT_S) for _ in range(3)]
    with capture_logs() as logs:
        await asyncio.gather(*(client.ping() for client in clients))
    for client in clients:
        await client.aclose()
    assert [entry["event"] for entry in logs] == ["store.connection_changed"]


async def test_the_public_transport_leaves_no_task_and_no_connection_behind(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_transport, "chosen", PublicTransport)
    before = asyncio.all_tasks()
    connections = len(await valkey.client_list())
    assert len(asyncio.all_tasks() - before) == 3
    await valkey.shared.close()  # type: ignore[attr-defined]
    await until(lambda: not asyncio.all_tasks() - before)

    async def is_closed() -> bool:
        return len(await valkey.client_list()) <= connections

    await until(is_closed)


class Socket:
    """Replaces the socket of a connection and the receiver of its replies."""

    pushes = False

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.replies: list[Any] = []
        self.lost: list[str] = []
        connection = SimpleNamespace(_writer=SimpleNamespace(transport=self))
        self.direct = DirectTransport(connection, self)

    def set_protocol(self, protocol: Any) -> None:
        self.calls.append("protocol")

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def abort(self) -> None:
        self.calls.append("abort")

    def reply_received(self, reply: Any) -> None:
        self.replies.append(reply)

    def connection_lost(self, reason: str) -> None:
        self.lost.append(reason)


def test_replies_are_read_however_their_bytes_are_split_and_garbage_ends_the_connection() -> None:
    socket = Socket()
    socket.direct.data_received(b"$4\r\nword\r\n+OK\r\n$4\r\nwo")
    assert socket.replies == [b"word", b"OK"]
    socket.direct.data_received(b"rd\r\n")
    assert (socket.replies[2:], socket.lost) == ([b"word"], [])
    socket.direct.data_received(b"?garbage\r\n")
    assert socket.lost == ["the store cannot be understood"]


def test_a_lost_connection_is_reported_unless_this_process_ended_it() -> None:
    for ends, lost in ((False, ["the connection to the store was lost"]), (True, [])):
        socket = Socket()
        socket.direct.write(b"PING")
        if ends:
            socket.direct.abort()
        socket.direct.connection_lost(None)
        assert (socket.lost, socket.calls) == (lost, ["protocol", b"PING", *["abort"] * ends])


async def test_the_server_of_the_test_at_start_closes_a_connection_that_its_client_has_ended() -> None:
    reader, closed = asyncio.StreamReader(), list[str]()
    reader.feed_eof()
    writer: Any = SimpleNamespace(is_closing=lambda: False, close=lambda: closed.append("closed"))
    await redis_transport._serve(reader, writer)
    assert closed == ["closed"]
