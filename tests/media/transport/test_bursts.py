"""Tests sockets that receive and send several packets by one system call, over real UDP on this machine."""

from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from media import relay
from media.protocols.ice import Address
from media.transport import bursts
from media.transport.bursts import BURST, NO_WAIT, BurstSocket
from media.transport.srtp import PacketBuffer, public_binding
from tests.media.duo import call, until
from tests.media.test_relay import VIDEO

UDP_GRO = 104  # Linux's option: packets that were sent as one are received as one


class Pair:
    """Two UDP sockets: packets are sent by a burst from `here` to `there`. `calls`: what each call of `send` sent."""

    def __init__(self, family: socket.AddressFamily, host: str) -> None:
        self.sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
        for sock in self.sockets:
            sock.bind((host, 0))
        self.buffers = [PacketBuffer(public_binding()) for _ in range(BURST)]
        self.here, self.there = (BurstSocket(sock, self.buffers) for sock in self.sockets)
        self.address: Any = self.sockets[1].getsockname()

    def sends(self, *packets: bytes, to: Any = None) -> int:
        """Send the packets by one burst; return how many were refused."""
        for buffer, packet in zip(self.buffers, packets, strict=False):
            buffer.fill(packet)
        return self.here.send(
            [(number, len(packet), to or self.address) for number, packet in enumerate(packets)]
        )

    def receives(self, first: int = 0) -> list[tuple[bytes, Address]]:
        """Return the packets that wait at `there`, received into the buffers from the number `first` on."""
        there = self.there
        count = there.receive(there.descriptor, there.headers[first], BURST - first, NO_WAIT, None)
        return [
            (bytes(self.buffers[at].view[: there.lengths[at]]), there.addresses[there.raws[at]])
            for at in range(first, first + max(0, count))
        ]


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(*request.param)
    yield made
    for sock in made.sockets:
        sock.close()


def test_packets_of_all_sizes_cross_in_order_with_the_address_of_the_sender(pair: Pair) -> None:
    packets = [bytes((size % 256,)) * size for size in (1200, 1200, 1200, 80, 1200, 1200, 600, 600, 1)]
    assert pair.sends(*packets) == 0
    sender = pair.sockets[0].getsockname()
    assert pair.receives() == [(packet, sender) for packet in packets]
    assert pair.receives() == []
    pair.sends(b"one more")
    assert pair.receives(7) == [(b"one more", sender)]


def test_only_neighbours_of_one_size_to_one_address_leave_as_one(pair: Pair) -> None:
    pair.sockets[1].setsockopt(socket.SOL_UDP, UDP_GRO, 1)
    pair.sends(b"aa", b"bb", b"cc", b"d", b"ee", b"ff")
    assert [packet for packet, _ in pair.receives()] == [b"aabbcc", b"d", b"eeff"]
    for buffer, packet in zip(pair.buffers, (b"aa", b"not sent", b"cc"), strict=False):
        buffer.fill(packet)
    pair.here.send([(0, 2, pair.address), (2, 2, pair.address)])
    assert [packet for packet, _ in pair.receives()] == [b"aa", b"cc"]


def test_a_whole_burst_of_the_longest_packets_crosses() -> None:
    made = Pair(socket.AF_INET, "127.0.0.1")
    made.sockets[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    assert made.sends(*(bytes((number,)) * 1600 for number in range(BURST))) == 0
    assert [packet[0] for packet, _ in made.receives()] == list(range(BURST))
    for sock in made.sockets:
        sock.close()


def test_what_the_kernel_refuses_is_counted_and_all_else_is_sent(pair: Pair) -> None:
    nowhere = (pair.address[0], 0, *pair.address[2:])
    for buffer, packet in zip(pair.buffers, (b"aa", b"bb", b"cc", b"dd"), strict=False):
        buffer.fill(packet)
    addresses = (pair.address, nowhere, nowhere, pair.address)
    assert pair.here.send([(at, 2, address) for at, address in enumerate(addresses)]) == 2
    assert [packet for packet, _ in pair.receives()] == [b"aa", b"dd"]


def test_a_network_card_that_cannot_send_several_as_one_gets_each_alone_from_then_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, messages = pair.here._send, []

    def refuses_joined(descriptor: int, header: Any, count: int, flags: int) -> int:
        messages.append(count)
        if count == 1:
            ctypes.set_errno(errno.EIO)
            return -1
        return int(send(descriptor, header, count, flags))

    monkeypatch.setattr(pair.here, "_send", refuses_joined)
    for _ in range(2):
        assert pair.sends(b"aa", b"bb", b"cc") == 0
        assert [packet for packet, _ in pair.receives()] == [b"aa", b"bb", b"cc"]
    assert messages == [1, 3]


def test_a_limited_number_of_addresses_is_kept(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "ADDRESSES_MAX", 2)
    for port in range(50_000, 50_005):
        pair.sends(b"a", to=(pair.address[0], port, *pair.address[2:]))
        raw = pair.here.raws[0]
        pair.there.addresses[raw + 1 if isinstance(raw, int) else bytes((port - 50_000,)) * 28]
    assert pair.sends(b"still sent") == 0
    assert pair.receives() == [(b"still sent", pair.sockets[0].getsockname())]
    assert max(len(pair.here._names), len(pair.there.addresses)) <= 3


def test_this_machine_sends_and_receives_bursts() -> None:
    assert bursts.available()


def test_a_machine_on_which_the_test_fails_uses_no_bursts_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(BurstSocket, "send", lambda *_: 1)
    assert not bursts.available()
    monkeypatch.setattr(BurstSocket, "send", lambda *_: 0)
    assert not bursts.available()
    assert [(record.message, record.reason) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("media.bursts_unavailable", "wrong bytes")
    ] * 2


def test_a_system_without_such_calls_uses_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise AttributeError("recvmmsg")

    monkeypatch.setattr(ctypes, "PyDLL", missing)
    assert not bursts.available()
    assert [record.reason for record in caplog.records] == ["AttributeError"]  # type: ignore[attr-defined]
    monkeypatch.setattr("sys.platform", "darwin")
    caplog.clear()
    assert not bursts.available()
    assert not caplog.records


@pytest.mark.parametrize("bursting", [True, False])
async def test_calls_work_with_bursts_and_without(bursting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[BurstSocket] = []

    def burst_socket(*given: Any) -> BurstSocket:
        made.append(BurstSocket(*given))
        return made[-1]

    monkeypatch.setattr(bursts, "available", lambda: bursting)
    monkeypatch.setattr(relay, "BurstSocket", burst_socket)
    async with call() as (peers, a, b):
        before = len(b.of(VIDEO))
        for number in range(1000, 1010):
            a.video(number)
        await until(lambda: len(b.of(VIDEO)) == before + 10)
        assert [packet.sequence for packet in b.of(VIDEO)[before:]] == list(range(1000, 1010))
        assert (peers.relay.stats.faults, peers.relay.stats.dropped, len(made)) == (0, 0, int(bursting))
