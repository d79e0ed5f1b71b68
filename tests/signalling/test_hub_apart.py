"""Tests the fan-out of one worker to its clients, with transports in memory.

Tests the limit of unsent bytes, the updates that are stored for clients that resume, and which client gets which write.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from signalling import counts
from signalling import hub as hub_module
from signalling.hub import CLOSE, PING, PONG, RING, Encoded, Hub, Socket, frame
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL
from signalling.visit.record import Actor, Role
from tests.signalling.test_hub import news
from tests.signalling.waits import until

PERSON = Actor(organisation="riverside", id="u_1", name="Dr M. Osei", role=Role.PROVIDER)


class Slow(asyncio.Transport):
    """The transport of a client that reads no data."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Record these bytes as unsent."""
        self.unsent += len(data)
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent


def test_control_frames_have_the_codes_of_rfc_6455() -> None:
    assert [frame(b"x", code) for code in (CLOSE, PING, PONG)] == [b"\x88\x01x", b"\x89\x01x", b"\x8a\x01x"]


def test_one_message_larger_than_the_limit_does_not_cut_off_a_client_that_reads() -> None:
    cut: list[int] = []
    transport = Slow()
    socket = connected(transport, cut=cut.append)
    socket.write(b"x" * 30_000)
    for _ in range(9):
        socket.write(b"x" * 100)
    assert (cut, transport.unsent) == ([], 30_900)
    for _ in range(3):
        socket.write(b"x" * 100)
    assert cut == [4002], "but what comes after it does, as for everybody"
    assert not socket.open


def connected(transport: Slow, connection: str = "c_1", limit: int = 1000, cut: Any = None) -> Socket:
    """Return a socket of `PERSON` that writes to `transport`. `cut`: called with the code with which the socket is
    closed.
    """
    return Socket(transport, CODECS[JSON_SUBPROTOCOL], PERSON, connection, limit, cut or (lambda code: None))


@pytest.mark.parametrize(
    ("unsent", "size", "cut"),
    [(1000, 1, []), (1001, 1, [4002]), (1000, 1000, []), (0, 1001, []), (1000, 1001, [])],
)
def test_a_client_may_leave_as_many_bytes_unsent_as_the_limit_and_one_long_message(
    unsent: int, size: int, cut: list[int]
) -> None:
    transport, closed = Slow(), list[int]()
    socket = connected(transport, cut=closed.append)
    transport.unsent = unsent
    socket.write(b"x" * size)
    assert closed == cut
    if cut:
        return
    transport.unsent = 1000 + (size if size > 1000 else 0)
    socket.write(b"x")
    assert not closed
    transport.unsent += 1
    socket.write(b"x")
    assert closed == [4002]


def test_a_message_is_encoded_once_for_all_sockets_with_the_same_codec() -> None:
    encoded = Encoded(news(1))
    for codec in CODECS.values():
        assert encoded.frame(codec) is encoded.frame(codec)
        assert encoded.frame(codec) == frame(codec.encode(news(1)), codec.opcode)
    with capture_logs() as logs:
        broken = Encoded(replace(news(1), topic="\ud800"))
        assert [broken.frame(CODECS[JSON_SUBPROTOCOL]) for _ in range(2)] == [b"", b""]
    assert [(line["event"], line["kind"]) for line in logs] == [("hub.not_encoded", "QueueStaff")]


def test_a_new_socket_of_a_connection_closes_the_older_one_and_stays() -> None:
    hub, closed = Hub(), list[int]()
    older, newer = connected(Slow(), cut=closed.append), connected(Slow())
    hub.add(older)
    hub.subscribe(older, "riverside/queue", 1)
    hub.add(newer)
    assert closed == [4203]
    hub.remove(older)
    assert (hub.sockets, older.topics, older.open) == ({"c_1": newer}, frozenset(), False)
    assert not hub.has("riverside/queue")
    assert hub.of_person("riverside", "u_1") == [newer]
    assert hub.of_person("riverside", "u_2") == hub.of_person("hillside", "u_1") == []
    hub.remove(newer)
    assert hub.sockets == {}


def test_a_message_to_a_topic_is_sent_at_once_and_counted() -> None:
    hub, transport = Hub(), Slow()
    hub.send("riverside/visit", news(1))
    assert (hub.sent("riverside/visit"), hub.subscribers("riverside/visit")) == (0, ())
    socket = connected(transport)
    hub.subscribe(socket, "riverside/visit", 0)
    assert (hub.sent("riverside/visit"), hub.subscribers("riverside/visit")) == (0, (socket,))
    for sent in (1, 2):
        hub.send("riverside/visit", news(sent))
        assert hub.sent("riverside/visit") == sent
    assert (b"u_1" in transport.written, b"u_2" in transport.written) == (True, True)
    assert hub.names("riverside") == ["riverside/visit"]
    assert hub.names("river") == []


async def test_the_kept_updates_are_the_newest_and_who_lacks_an_older_one_gets_a_snapshot() -> None:
    hub = Hub()
    socket = connected(Slow())
    assert hub.since("queue", 9) is None
    hub.subscribe(socket, "queue", 4)
    assert RING == 512
    for version in range(5, 5 + RING):
        hub.publish("queue", version, news(version))
    assert hub.since("queue", 3) is None
    for version in (4, 5, 3 + RING, 4 + RING):
        kept = hub.since("queue", version)
        assert kept is not None
        assert len(kept) == 4 + RING - version
    hub.publish("queue", 5 + RING, news(5 + RING))
    assert hub.since("queue", 4) is None
    assert len(hub.since("queue", 5) or ()) == RING
    hub.unsubscribe(socket, "queue")
    assert hub.has("queue"), "for clients that resume"
    hub.forget("queue", 2)
    assert (hub.since("queue", 1), hub.since("queue", 2)) == (None, [])


def test_a_client_that_was_silent_for_too_long_is_aborted_and_counted() -> None:
    transport = Slow()
    transport.abort = Mock()  # type: ignore[method-assign]
    socket, before = connected(transport), counts.SOCKETS_CLOSED["silent"]
    assert not socket.silent
    socket.give_up()
    assert (socket.silent, socket.open, counts.SOCKETS_CLOSED["silent"]) == (True, False, before + 1)
    transport.abort.assert_called_once()
    transport.abort.side_effect = RuntimeError
    with capture_logs() as logs:
        socket.abort()
    assert [line["event"] for line in logs] == ["hub.socket_died"]


def test_a_socket_counts_as_having_just_sent_something_when_it_opens() -> None:
    before_s = time.monotonic()
    assert before_s <= connected(Slow()).received_s <= time.monotonic()


async def test_a_subscriber_that_joins_while_updates_wait_receives_only_those_after_its_snapshot() -> None:
    hub, transports = Hub(), [Slow(), Slow(), Slow()]
    first, second, third = (
        connected(transport, f"c_{at}", 1 << 20) for at, transport in enumerate(transports)
    )
    hub.subscribe(first, "news", 4)
    hub.publish("news", 5, news(5))
    hub.subscribe(second, "news", 5)
    hub.subscribe(third, "news", 4)  # the version of its snapshot is 4, older than the update 5
    hub.publish("news", 6, news(6))
    await until(lambda: b"u_6" in transports[0].written)
    assert [b"u_5" in t.written for t in transports] == [True, False, True]
    assert [b"u_6" in t.written for t in transports] == [True, True, True]
    hub.forget("news", 1)  # the topic begins a new epoch, with small version numbers
    hub.publish("news", 2, news(2))
    await until(lambda: all(b"u_2" in t.written for t in transports))
    hub.forget("news", 2)
    for subscriber in (first, second, third):
        hub.unsubscribe(subscriber, "news")
    assert not hub.has("news")
    assert hub._last_tick == {}, "nothing is kept of a topic that is gone"


async def test_the_updates_of_ten_milliseconds_are_one_write_and_many_sockets_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)
        await asyncio.sleep(0)

    loop = SimpleNamespace(create_task=asyncio.get_running_loop().create_task, time=lambda: 100.0)
    replaced = {"sleep": sleep, "get_running_loop": lambda: loop}
    monkeypatch.setattr(hub_module, "asyncio", SimpleNamespace(**{**vars(asyncio), **replaced}))
    monkeypatch.setattr(hub_module, "SOCKETS_PER_TURN", 2)
    hub, writes = Hub(), Counter[str]()
    for name in ("c_1", "c_2", "c_3"):
        transport = Slow()
        monkeypatch.setattr(transport, "write", lambda data, name=name: writes.update([name]))
        hub.subscribe(connected(transport, name), "news", 1)
    for version in (2, 3):
        hub.publish("news", version, news(version))
    await until(lambda: writes.total() == 3)
    assert (slept, set(writes.values())) == ([0], {1})
    hub.publish("news", 4, news(4))
    await until(lambda: writes.total() == 6)
    assert slept == [0, pytest.approx(0.010), 0]


async def test_updates_that_wait_when_a_topic_is_forgotten_are_not_sent() -> None:
    hub, transport = Hub(), Slow()
    hub.subscribe(connected(transport), "news", 1)
    hub.publish("news", 2, news(2))
    sending = hub._topics["news"].sending
    assert sending is not None
    hub.forget("news", 3)
    await asyncio.gather(sending, return_exceptions=True)
    assert (sending.cancelled(), transport.written) == (True, b"")
