"""Tests the sockets and topics of one worker, without a network: subscriptions, updates that are stored for clients
that resume, and written messages.
"""

from __future__ import annotations

import asyncio

import pytest

from signalling.hub import RING, TICK_S, Hub, Socket
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL, Codec
from signalling.protocol.server_messages import QueueStaff
from signalling.protocol.shapes import StaffPart
from signalling.visit.record import Actor, Role
from tests.signalling.waits import stopped_clock, until

JSON_CODEC, MSGPACK_CODEC = CODECS.values()


class Written(asyncio.WriteTransport):
    """A transport that records the written bytes, or raises an error."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[bytes] = []
        self.unsent = 0
        self.problem: Exception | None = None
        self.aborted = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.problem is not None:
            raise self.problem
        self.data.append(bytes(data))

    def abort(self) -> None:
        self.aborted += 1


def person(
    connection: str = "c_1", who: str = "u_1", org: str = "riverside", codec: Codec = JSON_CODEC
) -> tuple[Socket, Written, list[int]]:
    """Return (a person's socket, its transport, a list that gets the code with which it is closed).

    `connection`, `who`, `org`: the ids of the connection, the person and the organisation.
    """
    transport, codes = Written(), list[int]()
    actor = Actor(organisation=org, id=who, name="", role=Role.PROVIDER)
    return Socket(transport, codec, actor, connection, 1000, codes.append), transport, codes


def news(number: int) -> QueueStaff:
    """Return an update of the queue whose version is `number`."""
    part = StaffPart(id=f"u_{number}", name="", role=Role.PROVIDER, on_call=True, in_session=False)
    return QueueStaff(topic="queue", version=number, staff=part)


def numbers(transport: Written) -> list[int]:
    """Return the version numbers of the updates that were written to a transport, in order."""
    return [int(part.split(b'"')[0]) for part in b"".join(transport.data).split(b'"u_')[1:]]


def test_a_socket_closes_once_with_its_first_code() -> None:
    socket, transport, codes = person()
    assert (socket.open, socket.silent, socket.topics, codes) == (True, False, frozenset(), [])
    socket.close(4001)
    socket.close(4002)
    socket.write(b"x")
    assert (codes, socket.open, transport.data) == ([4001], False, [])


def test_a_socket_that_is_given_up_was_silent_and_is_aborted() -> None:
    socket, transport, codes = person()
    socket.abort()
    assert (socket.open, socket.silent, transport.aborted, codes) == (False, False, 1, [])
    socket, transport, codes = person()
    socket.give_up()
    assert (socket.open, socket.silent, transport.aborted, codes) == (False, True, 1, [])


def test_a_client_with_more_unsent_than_the_limit_is_cut_off() -> None:
    socket, transport, codes = person()
    transport.unsent = 1000
    socket.write(b"x")
    assert codes == []
    transport.unsent = 1001
    socket.write(b"y")
    assert (codes, transport.data) == ([4002], [b"x"])


def test_one_large_message_may_be_unsent_until_the_buffer_was_read() -> None:
    socket, transport, codes = person()
    socket.write(b"x" * 1001)
    transport.unsent = 2001
    socket.write(b"y")
    assert codes == []
    transport.unsent = 2002
    socket.write(b"z")
    assert codes == [4002]
    socket, transport, codes = person()
    socket.write(b"x" * 1001)
    transport.unsent = 1000
    socket.write(b"y")
    transport.unsent = 1001
    socket.write(b"z")
    assert codes == [4002], "the large one was sent"


def test_a_transport_that_fails_ends_its_socket_alone() -> None:
    socket, transport, _ = person()
    transport.problem = RuntimeError()
    socket.write(b"x")
    assert not socket.open


def test_a_connection_that_comes_again_replaces_its_older_socket() -> None:
    hub, (older, _, codes), (newer, _, fresh) = Hub(), person(), person()
    hub.add(older)
    hub.add(newer)
    assert (codes, fresh) == ([4203], [])
    hub.remove(older)
    assert hub.sockets == {"c_1": newer}
    hub.remove(newer)
    assert (hub.sockets, newer.open) == ({}, False)


def test_a_persons_sockets_are_those_of_the_same_organisation() -> None:
    hub = Hub()
    mine, also, other, elsewhere = (
        person("c_1")[0],
        person("c_2")[0],
        person("c_3", "u_2")[0],
        person("c_4", org="hillside")[0],
    )
    for socket in (mine, also, other, elsewhere):
        hub.add(socket)
    assert hub.of_person("riverside", "u_1") == [mine, also]


def test_a_topic_is_known_while_somebody_is_subscribed() -> None:
    hub, (socket, transport, _) = Hub(), person()
    assert (hub.has("riverside/a"), hub.sent("riverside/a"), list(hub.subscribers("riverside/a"))) == (
        False,
        0,
        [],
    )
    hub.send("riverside/a", news(1))
    hub.subscribe(socket, "riverside/a", 3)
    hub.subscribe(person("c_2", org="hillside")[0], "hillside/a", 1)
    assert socket.topics == {"riverside/a"}
    assert (hub.names("riverside"), list(hub.subscribers("riverside/a"))) == (["riverside/a"], [socket])
    hub.send("riverside/a", news(2))
    hub.send("riverside/a", news(3))
    assert (hub.sent("riverside/a"), numbers(transport)) == (2, [2, 3])
    hub.unsubscribe(socket, "riverside/a")
    assert (hub.has("riverside/a"), socket.topics) == (False, frozenset())
    hub.unsubscribe(socket, "riverside/a")


def test_a_socket_that_is_removed_is_subscribed_to_nothing() -> None:
    hub, (socket, _, _) = Hub(), person()
    hub.add(socket)
    hub.subscribe(socket, "riverside/a", 0)
    hub.subscribe(socket, "riverside/b", 0)
    hub.remove(socket)
    assert (hub.names("riverside"), socket.topics) == ([], frozenset())


async def test_a_limited_number_of_updates_is_kept_for_clients_that_reconnect() -> None:
    hub, (socket, transport, _) = Hub(), person()
    assert hub.since("riverside/queue", 0) is None
    hub.publish("riverside/queue", 1, news(1))
    hub.subscribe(socket, "riverside/queue", 10)
    assert hub.since("riverside/queue", 9) is None
    assert hub.since("riverside/queue", 10) == []
    for number in range(11, 11 + RING):
        hub.publish("riverside/queue", number, news(number))
    found = hub.since("riverside/queue", 500)
    assert found is not None
    assert [encoded.message for encoded in found] == [news(number) for number in range(501, 11 + RING)]
    hub.publish("riverside/queue", 11 + RING, news(11 + RING))
    assert hub.since("riverside/queue", 10) is None
    assert len(hub.since("riverside/queue", 11) or ()) == RING
    await until(lambda: numbers(transport) == list(range(11, 12 + RING)))
    hub.unsubscribe(socket, "riverside/queue")
    assert hub.has("riverside/queue"), "what is kept is for who comes back"


async def test_the_first_update_goes_at_once_and_a_burst_in_one_write_with_each_codec() -> None:
    hub = Hub()
    (one, first, _), (two, second, _) = person("c_1"), person("c_2", codec=MSGPACK_CODEC)
    hub.subscribe(one, "riverside/queue", 0)
    hub.subscribe(two, "riverside/queue", 0)
    with stopped_clock() as clock:
        hub.publish("riverside/queue", 1, news(1))
        await asyncio.sleep(0)
        assert (len(first.data), len(second.data)) == (1, 1)
        assert (first.data[0][0], second.data[0][0]) == (0x81, 0x82)
        hub.publish("riverside/queue", 2, news(2))
        await clock.passes(TICK_S / 2)
        hub.publish("riverside/queue", 3, news(3))
        await clock.passes(TICK_S / 4)
        assert (len(first.data), len(second.data)) == (1, 1)
        await clock.passes(TICK_S)
    assert numbers(first) == [1, 2, 3]
    assert (len(first.data), len(second.data)) == (2, 2)


async def test_64_sockets_are_written_in_a_turn() -> None:
    hub, people = Hub(), [person(f"c_{number}") for number in range(70)]
    for socket, _, _ in people:
        hub.subscribe(socket, "riverside/queue", 0)
    hub.publish("riverside/queue", 1, news(1))
    await asyncio.sleep(0)
    assert sum(len(transport.data) for _, transport, _ in people) == 64
    await until(lambda: sum(len(transport.data) for _, transport, _ in people) == 70)


async def test_updates_of_a_forgotten_topic_are_neither_sent_nor_kept() -> None:
    hub, (socket, transport, _) = Hub(), person()
    hub.forget("riverside/none", 1)
    hub.subscribe(socket, "riverside/queue", 0)
    hub.publish("riverside/queue", 8, news(8))
    hub.forget("riverside/queue", 3)
    assert hub.since("riverside/queue", 2) is None
    assert hub.since("riverside/queue", 3) == []
    hub.publish("riverside/queue", 4, news(4))
    await until(lambda: numbers(transport) == [4])
    hub.forget("riverside/queue", 5)
    hub.unsubscribe(socket, "riverside/queue")
    assert not hub.has("riverside/queue")


async def test_an_error_of_the_fan_out_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[tuple[str, BaseException | None]] = []
    hub, (socket, _, _) = Hub(lambda what, problem: failed.append((what, problem))), person()
    hub.subscribe(socket, "riverside/queue", 0)
    problem = ValueError()

    def write(self: Socket, data: bytes) -> None:
        raise problem

    monkeypatch.setattr(Socket, "write", write)
    hub.publish("riverside/queue", 1, news(1))
    await until(lambda: failed)
    assert failed == [("hub.fan-out", problem)]
    assert JSON_SUBPROTOCOL in CODECS
