"""Tests a room with senders that send anything: random packets, jumps of numbers, retransmissions and RTCP.

AES-GCM must never encrypt two different packets under one number, and nothing may cross a closed gate.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from struct import pack, unpack_from
from typing import Any

import pytest

from media import Party, Relay, RelaySettings, Room
from media.protocols import red, rtcp, rtp
from media.protocols.codecs import H264, OPUS, RED, RTX_OF, VP8
from tests.media.forwarding.unencrypted import Inbox, Keys, unencrypted

AUDIO, VIDEO, AGAIN = range(3)
KINDS = ("audio", "video", "rtx")
TYPES = ((OPUS.payload_type, RED.payload_type), (VP8.payload_type,) * 5 + (H264.payload_type,))
STEPS = 6000


class Sent:
    """The packets that were sent to one party. `is_open`: returns True if the gate is open."""

    def __init__(self, is_open: Callable[[], bool]) -> None:
        self._is_open = is_open
        self._newest: dict[int, int] = {}
        self._packets: dict[tuple[int, int], bytes] = {}

    def sendto(self, packet: bytes | memoryview, _: Any) -> int:
        """Check a packet that is sent to the party, as SRTP counts its numbers beyond 16 bits."""
        data = bytes(packet)
        if not 191 < data[1] < 224:
            assert self._is_open()
            (ssrc,), (number,) = unpack_from("!I", data, 8), unpack_from("!H", data, 2)
            newest = self._newest.get(ssrc, number)
            whole = newest + ((number - newest + 0x8000) & 0xFFFF) - 0x8000
            self._newest[ssrc] = max(newest, whole)
            assert self._packets.setdefault((ssrc, whole), data) == data
        return len(data)


class Sender:
    """One party, which sends random packets. `address`: the address of its browser."""

    def __init__(self, room: Room, name: str, chance: random.Random, is_open: Callable[[], bool]) -> None:
        self.party: Party = room.join(name, lambda event: None)
        self.address = (name, 1)
        self._chance = chance
        self._ssrc = 100 * ord(name)
        self._number = [chance.choice((0, 100, 0xFFE0)) for _ in KINDS]
        self._received: list[set[int]] = [set() for _ in KINDS]
        self._videos: list[tuple[int, int, int, bytes]] = []
        endpoint = self.party.endpoint
        endpoint.rx = endpoint.tx = Keys()
        endpoint.address, endpoint.sendto = self.address, Sent(is_open).sendto
        endpoint.takes_red, endpoint.takes_rtx = chance.random() < 0.5, chance.random() < 0.5
        endpoint.mends = frozenset(chance.sample(("audio", "video"), chance.randrange(3)))
        for place, kind in enumerate(KINDS):
            endpoint.learn(self._ssrc + place, kind)  # type: ignore[arg-type]
        room.relay.forwarder.endpoints[self.address] = endpoint

    def media(self) -> bytes:
        """Return the next packet of sound or video, or a retransmission; b"" if SRTP refuses it as repeated."""
        chance, kind = self._chance, self._chance.choice((AUDIO, VIDEO, VIDEO, VIDEO, AGAIN))
        if kind == AGAIN and self._videos:
            self._number[AGAIN] += 1
            number, timestamp, payload_type, payload = chance.choice(self._videos[-50:])
            payload_type, payload = RTX_OF[payload_type], pack("!H", number & 0xFFFF) + payload
            number = self._number[AGAIN]
        else:
            kind = min(kind, VIDEO)
            number = self._number[kind] + chance.choice((1,) * 12 + (2, 3, 60, 0x3FFF, -1, -2, -30, -44))
            if number in self._received[kind] or number <= self._number[kind] - 200:
                return b""
            self._received[kind].add(number)
            self._number[kind] = max(self._number[kind], number)
            payload_type, timestamp = chance.choice(TYPES[kind]), 960 * number
            payload = self._payload(payload_type)
            if kind == VIDEO:
                self._videos.append((number, timestamp, payload_type, payload))
        return rtp.build(
            payload_type,
            number,
            timestamp,
            self._ssrc + kind,
            payload,
            transport_cc=chance.choice((None, number)),
        )

    def _payload(self, payload_type: int) -> bytes:
        some = self._chance.randbytes(self._chance.randrange(1, 20))
        if payload_type == RED.payload_type:
            return red.build(some, [(960, some)])
        if payload_type == VP8.payload_type:
            layer = self._chance.choice((0, 0, 1, 2)) << 6 | self._chance.choice((0, 0x20))
            return b"\x90\xe0\x80\x01\x00" + bytes((layer, self._chance.randrange(2))) + some
        return some

    def control(self) -> bytes:
        """Return a random RTCP packet about a stream that the party receives."""
        about = self._chance.choice([ssrc for slot in self.party.slots for ssrc in slot.ssrcs.values()])
        body = pack("!II", self._ssrc, about) + self._chance.randbytes(4 * self._chance.randrange(8))
        head = pack(
            "!BBH", 0x80 | self._chance.randrange(32), self._chance.randrange(200, 208), len(body) // 4
        )
        numbers = [self._chance.randrange(0x10000) for _ in range(5)]
        return self._chance.choice((head + body, rtcp.nack(self._ssrc, about, numbers)))


@pytest.mark.parametrize("seed", range(8))
async def test_no_number_is_used_twice_and_nothing_crosses_a_closed_gate(seed: int) -> None:
    chance = random.Random(seed)
    relay = await Relay.open(RelaySettings(tcp=False), unencrypted())
    room = relay.room("room")
    senders = [Sender(room, name, chance, lambda: room.gate) for name in "abc"[: 2 + seed % 2]]
    room.set_gate(True)
    for step in range(STEPS):
        sender = chance.choice(senders)
        if step % 50 == 0:
            room.set_gate(chance.random() < 0.8)
            sender.party.set_receiving(chance.choice(("audio", "video")), chance.random() < 0.8)
            for other in senders:
                other.party.endpoint.refill(1.0)
                for subscription in other.party.endpoint.subscribers.values():
                    subscription.current["video"].layers.target = chance.randrange(3)  # type: ignore[union-attr]
        packet = sender.control() if chance.random() < 0.05 else sender.media()
        if packet:
            relay.forwarder.read(Inbox((packet, sender.address)))
    assert relay.stats.faults == 0
    assert relay.stats.forwarded > STEPS // 10
    await relay.close()
