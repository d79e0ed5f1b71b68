"""Copies in a room of three, without encryption: who receives which packet, in which numbers."""

from __future__ import annotations

from struct import pack
from typing import Any

from media.forwarding.endpoint import Endpoint
from media.forwarding.subscriptions import Subscription
from media.protocols.rtp import build
from tests.media.forwarding.unencrypted import (
    AUDIO,
    KEY,
    RTX,
    VIDEO,
    A,
    B,
    C,
    Line,
    picture,
    sound,
)


def three() -> tuple[Line, Endpoint, dict[Any, Subscription]]:
    """Return a room where A sends to B and C, and both may answer; the subscriptions to A by address."""
    line = Line(A, B, C)
    a = line.endpoints[0]
    a.learn(1, "audio")
    a.learn(2, "video")
    a.learn(3, "rtx")
    for sender in line.endpoints:
        for to in line.endpoints:
            if to is not sender:
                made = sender.subscribers[to] = Subscription(sender, to, to.sinks)
                made.open = True
                made.refresh()
    return line, a, {to.address: made for to, made in a.subscribers.items()}


def test_a_packet_goes_to_each_receiver_in_its_own_numbers() -> None:
    line, a, to = three()
    line.endpoints[2].cc_next = 0xFFFF
    line.reads(sound(7, transport_cc=500), sound(8, transport_cc=501))
    assert line.sent == {
        A: [],
        B: [build(AUDIO, n, 960 * n, 20, b"sound", transport_cc=n - 7) for n in (7, 8)],
        C: [build(AUDIO, n, 960 * n, 30, b"sound", transport_cc=(n - 8) & 0xFFFF) for n in (7, 8)],
    }
    size = len(sound(7, transport_cc=500)[0])
    assert line.counted() == {"received": 2, "forwarded": 4, "forwarded_octets": 4 * size}
    assert (a.answering, len(a.arrivals), to[B].sources[1].packets) == (True, 2, 2)
    sink = line.endpoints[1].sinks["audio"]
    assert (sink.sequence, sink.timestamp, sink.at_s) == (8, 960 * 8, 100.0)
    line.reads(sound(6))
    assert sink.sequence == 8


def test_a_closed_subscription_receives_nothing_and_counts_what_it_missed() -> None:
    line, _, to = three()
    to[B].open = False
    to[B].refresh()
    line.reads(sound(7))
    assert (len(line.sent[B]), len(line.sent[C])) == (0, 1)
    assert to[B].sources[1].packets == 1
    to[C].open = False
    to[C].refresh()
    line.reads(sound(8))
    assert line.counted()["withheld"] == 1
    del to[B].sources[1]
    line.reads(sound(9))
    assert line.counted()["withheld"] == 2
    assert to[C].sources[1].packets == 3


def test_each_receivers_video_begins_with_a_keyframe_that_is_asked_for_once() -> None:
    line, a, to = three()
    a.sources[2].keyframe_due_s = 100.0
    line.reads(picture(1), picture(2))
    assert line.sent == {A: [pack("!BBHII", 0x81, 206, 2, 11, 2)], B: [], C: []}
    assert a.sources[2].keyframe_due_s == 100.15
    line.reads(picture(3, KEY, marker=True))
    assert line.sent[B] == [], "a black picture"
    line.reads(picture(4, KEY))
    assert line.sent[B] == [build(VIDEO, 4, 12_000, 21, KEY)]
    assert line.sent[C] == [build(VIDEO, 4, 12_000, 31, KEY)]
    assert to[B].sources[2].settled


def test_the_budget_is_the_senders_and_counts_a_packet_once() -> None:
    line, a, _ = three()
    size = len(sound(1)[0])
    a.budget = size
    line.reads(sound(1), sound(2))
    assert line.counted() == {"received": 2, "forwarded": 2, "forwarded_octets": 2 * size, "dropped": 1}


def test_a_receiver_that_cannot_be_reached_leaves_the_others_alone() -> None:
    line, _, _ = three()
    b = line.endpoints[1]

    def full(packet: Any, to: Any) -> int:
        raise OSError

    for number, (field, value) in enumerate((("tx", None), ("sendto", None), ("sendto", full)), 1):
        kept = getattr(b, field)
        setattr(b, field, value)
        line.reads(sound(number))
        setattr(b, field, kept)
        assert (len(line.sent[B]), len(line.sent[C])) == (0, number)
    b.tx.protect = 1
    line.reads(sound(4))
    assert (len(line.sent[B]), len(line.sent[C])) == (0, 4)
    assert line.counted()["forwarded"] == 4


def test_a_retransmission_goes_to_who_was_sent_the_original() -> None:
    line, a, to = three()
    late = build(RTX, 1, 3000 * 10, 3, pack("!H", 10) + KEY), A
    line.reads(late)
    assert line.sent[B] == []
    line.reads(picture(10, KEY), picture(11))
    video = to[B].sources[2]
    video.sequence_shift, video.timestamp_shift = 0xFFFB, 5
    line.endpoints[1].sinks["video"].sequence = 6
    line.reads(late)
    assert line.sent[B][-1] == build(RTX, 1, 30_005, 22, pack("!H", 5) + KEY)
    assert line.sent[C][-1] == build(RTX, 1, 30_000, 32, pack("!H", 10) + KEY)
    sent = len(line.sent[B])
    line.reads((build(RTX, 2, 0, 3, pack("!H", 9) + KEY), A))
    assert len(line.sent[B]) == sent, "it was sent before the keyframe"
    padding = bytearray(build(RTX, 3, 0, 3, b"\x00\x00\x03"))
    padding[0] |= 0x20
    line.reads((bytes(padding), A))
    assert line.sent[C][-1][12:] == b"\x00\x00\x03"
    del to[B].current["video"], a.current["video"]
    to_b, to_c = len(line.sent[B]), len(line.sent[C])
    line.reads(late)
    assert (len(line.sent[B]), len(line.sent[C])) == (to_b, to_c + 1)


def test_reports_go_to_each_other_party_about_its_own_streams() -> None:
    line, _, to = three()
    line.reads(picture(1, KEY))
    block = pack("!IIIIII", 21, 0x40000000, 1, 0, 0, 0)
    line.reads((pack("!BBHI", 0x81, 201, 7, 99) + block, B))
    block = pack("!IIIIII", 2, 0x40000000, 1, 0, 0, 0)
    assert line.sent[A] == [pack("!BBHI", 0x81, 201, 7, 11) + block]
    assert len(line.sent[C]) == 1
    assert to[B].estimate.kbps == 400 * 0.875
    assert to[C].estimate.kbps == 2500
    line.endpoints[1].subscribers[line.endpoints[0]].open = False
    line.reads((pack("!BBHII", 0x81, 206, 2, 99, 21), B))
    assert len(line.sent[A]) == 1
    del line.endpoints[0].subscribers[line.endpoints[1]]
    line.endpoints[1].subscribers[line.endpoints[0]].open = True
    line.reads((pack("!BBHII", 0x81, 206, 2, 99, 21), B))
    assert len(line.sent[A]) == 1, "A sends nothing to B any more"
