"""Tests that a packet which cannot be forwarded does not stop the packets after it, nor its stream."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

from media.forwarding.endpoint import Endpoint
from media.forwarding.mending import OUTAGE_S
from media.protocols.rtp import build
from tests.media.forwarding.test_group_forwarder import three
from tests.media.forwarding.unencrypted import (
    AUDIO,
    KEY,
    RTX,
    A,
    B,
    C,
    Keys,
    UnencryptedRoom,
    pair,
    picture,
    sound,
)


class Once(Keys):
    """SRTP keys with which the first packet cannot be encrypted, but all later packets can."""

    def __init__(self) -> None:
        self._failures = [1]
        super().__init__()

    @property
    def protect(self) -> int:
        return self._failures.pop() if self._failures else 0

    @protect.setter
    def protect(self, _: int) -> None:
        pass


def cannot_encrypt(_room: UnencryptedRoom, _a: Endpoint, b: Endpoint) -> None:
    b.tx = Once()


def cannot_send(room: UnencryptedRoom, _a: Endpoint, b: Endpoint) -> None:
    sendto, failures = b.sendto, [OSError()]

    def send(packet: Any, to: Any) -> int:
        if failures:
            raise failures.pop()
        assert sendto is not None
        return sendto(packet, to)

    b.sendto = send


def as_it_is(_room: UnencryptedRoom, _a: Endpoint, _b: Endpoint) -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "first"),
    [
        (cannot_encrypt, sound(1)),
        (cannot_send, sound(1)),
        (as_it_is, (build(99, 1, 1, 77, b"of no known type"), A)),
    ],
    ids=["not encrypted", "not sent", "a new stream of an unknown type"],
)
def test_a_packet_that_fails_is_dropped_and_the_next_one_is_forwarded(
    prepare: Callable[[UnencryptedRoom, Endpoint, Endpoint], None], first: tuple[bytes, Any]
) -> None:
    room, a, b = pair()
    prepare(room, a, b)
    room.reads(first, sound(2))
    assert [packet[3] for packet in room.sent[B]] == [2]
    assert room.counted()["dropped"] == 1


def test_a_packet_that_was_sent_before_does_not_end_the_turn() -> None:
    room, _, _ = pair()
    room.reads(sound(7), sound(9), sound(7), sound(10))
    assert [packet[3] for packet in room.sent[B]] == [7, 9, 10]


def test_a_turn_goes_on_beyond_the_budget_of_one_browser() -> None:
    room, a, _ = pair()
    a.budget = 0
    assert room.reads(sound(1), sound(2)).waiting == []
    group, sender, _ = three()
    sender.budget = 0
    assert group.reads(sound(1), sound(2)).waiting == []
    assert group.counted() == {"received": 2, "dropped": 2}


@pytest.mark.parametrize(("second", "control"), [(191, False), (192, True), (223, True), (224, False)])
def test_a_packet_from_an_unknown_address_is_control_or_media_by_its_second_byte(
    second: int, control: bool
) -> None:
    room, a, _ = pair()
    a.reporters.add(5)
    a.rx.unprotect_rtcp = 7
    room.reads((pack("!BBHII", 0x80, second, 2, 5, 1), C))
    assert room.others.moved == ([] if control else [(a, C)])
    assert room.counted() == ({"strays": 1, "unauthentic": 1} if control else {"strays": 1})


@pytest.mark.parametrize(
    ("received_s", "now_s", "outage"),
    [(0.0, 100.0, False), (0.2, 0.2 + OUTAGE_S, False), (100.0, 100.9, True)],
    ids=["the first packet ever", "no longer than an outage", "longer"],
)
def test_only_a_silence_that_is_longer_than_08_s_is_an_outage(
    received_s: float, now_s: float, outage: bool
) -> None:
    room, a, _ = pair()
    a.received_s, room.now_s = received_s, now_s
    room.reads(sound(1))
    assert a.answering is outage


def test_a_control_packet_shows_the_address_as_media_does() -> None:
    room, a, _ = pair()
    room.reads((pack("!BBHII", 0x80, 201, 2, 9, 21), A))
    assert a.last_from == A


def test_a_stream_that_was_not_announced_crosses_in_a_room_of_three_at_once() -> None:
    room, _, _ = three()
    room.reads((build(AUDIO, 1, 1, 77, b"new"), A))
    assert [len(room.sent[to]) for to in (B, C)] == [1, 1]


def test_the_time_until_the_first_picture_is_measured_once() -> None:
    room, a, _b = pair()
    shown: list[float] = []
    room.forwarder.on_first_picture = shown.append
    a.opened_s = 99.5
    room.reads(sound(1))
    assert (shown, a.opened_s) == ([], 99.5)
    room.reads(picture(1, KEY))
    assert (shown, a.opened_s) == ([0.5], 0.0)
    a.sources[2].unsettle()
    room.reads(picture(2, KEY))
    assert shown == [0.5]


def test_a_retransmission_has_the_transport_wide_number_of_the_receivers_stream() -> None:
    room, a, _ = pair()
    room.reads(picture(10, KEY), picture(11))
    a.cc_shift = 7
    a.mark()
    room.reads((build(RTX, 1, 30_000, 3, pack("!H", 10) + KEY, transport_cc=500), A))
    assert room.sent[B][-1] == build(RTX, 1, 30_000, 22, pack("!H", 10) + KEY, transport_cc=507)
