"""Tests copies of packets in a room of three, without encryption: which party receives which packet, and with which
numbers.
"""

from __future__ import annotations

from struct import pack, unpack_from
from typing import Any

import pytest

from media.forwarding.endpoint import Endpoint
from media.forwarding.group_forwarder import _restore
from media.forwarding.subscriptions import Subscription
from media.protocols.codecs import RED
from media.protocols.rtp import build
from tests.media.forwarding.unencrypted import (
    AUDIO,
    DELTA,
    KEY,
    RTX,
    VIDEO,
    A,
    B,
    C,
    UnencryptedRoom,
    picture,
    sound,
)


def three() -> tuple[UnencryptedRoom, Endpoint, dict[Any, Subscription]]:
    """Return (the room, the endpoint of A, address -> that party's subscription to the media of A).

    A sends to B and C, who may also send.
    """
    room = UnencryptedRoom(A, B, C)
    a = room.endpoints[0]
    a.learn(1, "audio")
    a.learn(2, "video")
    a.learn(3, "rtx")
    for sender in room.endpoints:
        for to in room.endpoints:
            if to is not sender:
                made = sender.subscribers[to] = Subscription(sender, to, to.sinks)
                made.open = True
                made.refresh()
    return room, a, {to.address: made for to, made in a.subscribers.items()}


def test_a_packet_goes_to_each_receiver_in_its_own_numbers() -> None:
    room, a, to = three()
    room.endpoints[2].cc_next = 0xFFFF
    room.reads(sound(7, transport_cc=500), sound(8, transport_cc=501))
    assert room.sent == {
        A: [],
        B: [build(AUDIO, n, 960 * n, 20, b"sound", transport_cc=n - 7) for n in (7, 8)],
        C: [build(AUDIO, n, 960 * n, 30, b"sound", transport_cc=(n - 8) & 0xFFFF) for n in (7, 8)],
    }
    size = len(sound(7, transport_cc=500)[0])
    assert room.counted() == {"received": 2, "forwarded": 4, "forwarded_octets": 4 * size}
    assert (a.answering, len(a.arrivals), to[B].sources[1].packets) == (True, 2, 2)
    sink = room.endpoints[1].sinks["audio"]
    assert (sink.sequence, sink.timestamp, sink.at_s) == (8, 960 * 8, 100.0)
    room.reads(sound(6))
    assert sink.sequence == 8


def test_only_the_transport_wide_number_of_a_packets_extensions_is_rewritten() -> None:
    room, _, _ = three()
    packet = sound(7, transport_cc=0x0102)[0]
    extended = packet[:12] + b"\xbe\xde\0\2\x31\1\2\x10\x85\0\0\0" + packet[20:]
    room.reads((extended, A))
    assert [data[12:] for data in room.sent[B]] == [b"\xbe\xde\0\2\x31\0\0\x10\x85\0\0\0sound"]


def test_a_closed_subscription_receives_nothing_and_counts_what_it_missed() -> None:
    room, _, to = three()
    to[B].open = False
    to[B].refresh()
    room.reads(sound(7))
    assert (len(room.sent[B]), len(room.sent[C])) == (0, 1)
    assert to[B].sources[1].packets == 1
    to[C].open = False
    to[C].refresh()
    room.reads(sound(8))
    assert room.counted()["withheld"] == 1
    del to[B].sources[1]
    room.reads(sound(9))
    assert room.counted()["withheld"] == 2
    assert to[C].sources[1].packets == 3


def test_each_receivers_video_begins_with_a_keyframe_that_is_asked_for_once() -> None:
    room, a, to = three()
    a.sources[2].keyframe_due_s = 100.0
    room.reads(picture(1), picture(2))
    assert room.sent == {A: [pack("!BBHII", 0x81, 206, 2, 11, 2)], B: [], C: []}
    assert a.sources[2].keyframe_due_s == 100.15
    room.reads(picture(3, KEY, marker=True))
    assert room.sent[B] == [], "a black picture"
    room.reads(picture(4, KEY))
    assert room.sent[B] == [build(VIDEO, 4, 12_000, 21, KEY)]
    assert room.sent[C] == [build(VIDEO, 4, 12_000, 31, KEY)]
    assert to[B].sources[2].settled


def test_the_budget_is_the_senders_and_counts_a_packet_once() -> None:
    room, a, _ = three()
    size = len(sound(1)[0])
    a.budget = size
    room.reads(sound(1), sound(2))
    assert room.counted() == {"received": 2, "forwarded": 2, "forwarded_octets": 2 * size, "dropped": 1}


def test_a_receiver_that_cannot_be_reached_leaves_the_others_alone() -> None:
    room, _, _ = three()
    b = room.endpoints[1]

    def full(packet: Any, to: Any) -> int:
        raise OSError

    for number, (field, value) in enumerate((("tx", None), ("sendto", None), ("sendto", full)), 1):
        kept = getattr(b, field)
        setattr(b, field, value)
        room.reads(sound(number))
        setattr(b, field, kept)
        assert (len(room.sent[B]), len(room.sent[C])) == (0, number)
    b.tx.protect = 1
    room.reads(sound(4))
    assert (len(room.sent[B]), len(room.sent[C])) == (0, 4)
    assert room.counted()["forwarded"] == 4


def test_a_packet_that_a_receiver_does_not_get_is_not_counted_as_forwarded_to_it() -> None:
    room, _, to = three()
    forwarded = room.forwarder.counters
    room.reads(sound(7), sound(7))
    assert forwarded.forwarded == 2, "the second one was sent before"
    to[B].current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True), layered(101, 2))
    assert forwarded.forwarded == 5, "B gets the lowest layer only"
    room.reads((build(RED.payload_type, 8, 960 * 8, 1, b"\xef\x0f"), A))
    assert (forwarded.forwarded, len(room.sent[B]), len(room.sent[C])) == (5, 2, 3)
    assert forwarded.withheld == 2


def repeated(number: int, original: int, payload: bytes = DELTA) -> tuple[bytes, Any]:
    """Return a retransmission with the number `number`: A sends packet `original` of its video again."""
    return build(RTX, number, 3000 * original, 3, pack("!H", original) + payload), A


def test_the_original_of_a_retransmission_goes_once_to_each_receiver_whose_video_has_begun() -> None:
    room, _, to = three()
    room.reads(repeated(1, 10, KEY))
    assert (room.sent[B], room.sent[C]) == ([], []), "a keyframe from before the gate opened begins nothing"
    room.reads(picture(10, KEY), picture(12))
    to[B].sources[2].sequence_shift, to[B].sources[2].timestamp_shift = 0xFFFB, 5
    to[B].sources[2].layers.restart(10, 0xFFFB)  # type: ignore[union-attr]
    room.endpoints[1].sinks["video"].sequence = 7
    room.reads(repeated(2, 11))
    assert room.sent[B][2:] == [build(VIDEO, 6, 33_005, 21, DELTA)]
    assert room.sent[C][2:] == [build(VIDEO, 11, 33_000, 31, DELTA)]
    room.reads(repeated(3, 11), repeated(4, 9))
    padding = bytearray(build(RTX, 5, 0, 3, b"\x00\x00\x03"))
    padding[0] |= 0x20
    room.reads((bytes(padding), A))
    assert (len(room.sent[B]), len(room.sent[C])) == (3, 3), "repeated twice, before the keyframe, padding"


def test_a_retransmission_of_only_padding_repeats_no_packet() -> None:
    room, a, _ = three()
    room.reads(picture(10, KEY))
    probe = bytearray(build(RTX, 1, 0, 3, b"\x00\x00\x03"))
    probe[0] |= 0x20
    room.reads((bytes(probe), A))
    assert (len(room.sent[B]), len(room.sent[C])) == (1, 1)
    assert room.counted()["withheld"] == 1
    assert _restore(a.current["video"], probe, len(probe)) == 0


def test_the_newest_picture_sent_again_goes_to_no_receiver_twice() -> None:
    room, _, _ = three()
    room.reads(picture(10, KEY), picture(11), repeated(1, 11), repeated(2, 12))
    assert [unpack_from("!H", data, 2)[0] for data in room.sent[B]] == [10, 11, 12]


def test_a_retransmission_of_an_unknown_video_is_not_forwarded() -> None:
    room, a, _ = three()
    del a.current["video"]
    room.reads(repeated(1, 11))
    assert room.counted() == {"received": 1, "withheld": 1}


# --- temporal layers of video


def layered(
    number: int, layer: int, *, syncs: bool = False, key: bool = False, **more: Any
) -> tuple[bytes, Any]:
    """Return a picture of A in one packet, in the temporal layer `layer`.

    `number`: the sequence number of the packet, also used as its picture number (15 bits). `syncs`: True if a
    receiver needs only layer 0 to decode the picture. `key`: True for a keyframe. `more`: arguments of
    `picture`.
    """
    picture_id = (0x8000 | number & 0x7FFF).to_bytes(2, "big")
    descriptor = b"\x90\xe0" + picture_id + bytes((7, layer << 6 | syncs << 5))
    return picture(number, descriptor + (b"\x00key" if key else b"\x01delta"), **more)


def received(room: UnencryptedRoom, address: Any) -> list[tuple[int, int, int]]:
    """Return (sequence number, picture number, timestamp) of each video packet that was sent to an address.

    The timestamp is in units of 3000 clock ticks, which is the time of one picture.
    """
    return [
        (
            unpack_from("!H", data, 2)[0],
            unpack_from("!H", data, 14)[0] & 0x7FFF,
            unpack_from("!I", data, 4)[0] // 3000,
        )
        for data in room.sent[address]
        if data[1] & 0x7F == VIDEO and not data[0] & 0x20
    ]


def test_a_weak_receiver_gets_fewer_layers_in_numbers_without_gaps_and_the_others_all() -> None:
    room, a, to = three()
    to[B].current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True))
    for number, layer in enumerate((2, 1, 2, 0, 2, 1, 2, 0), 101):
        room.reads(layered(number, layer, syncs=number < 103))
    assert received(room, B) == [(100, 100, 100), (101, 101, 104), (102, 102, 108)]
    assert received(room, C) == [(n, n, n) for n in range(100, 109)]
    assert a.sources[2].shares is not None
    first, size = (len(layered(100, 0, key=key)[0]) for key in (True, False))
    assert a.sources[2].shares.octets == [first + 2 * size, 2 * size, 4 * size, 0]
    to[B].current["video"].layers.target = 2  # type: ignore[union-attr]
    for number, layer in enumerate((2, 1, 2, 0, 2), 109):
        room.reads(layered(number, layer, syncs=number != 111))
    assert received(room, B)[3:] == [(103, 103, 110), (104, 104, 112), (105, 105, 113)]


def test_a_late_picture_that_a_weak_receiver_does_not_get_is_padding_for_it() -> None:
    room, a, to = three()
    a.mends = frozenset({"video"})
    to[B].current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True), layered(102, 0), layered(101, 1, transport_cc=9))
    assert room.sent[B][-1] == bytes((0xA0, 96)) + pack("!HIIB", 101, 303_000, 21, 1)
    assert received(room, B) == [(100, 100, 100), (102, 102, 102)]
    assert room.sent[C][-1][-5:] == b"delta"


@pytest.mark.parametrize("original", [101, 102])
def test_a_picture_that_a_weak_receiver_does_not_get_takes_no_number_if_it_comes_again(original: int) -> None:
    room, _, to = three()
    to[B].current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True), layered(101, 1), layered(102, 2))
    room.reads(repeated(400, original, layered(original, original - 100)[0][12:]), layered(103, 0))
    assert received(room, B) == [(100, 100, 100), (101, 101, 103)]
    assert len(room.sent[B]) == 2, "no padding"


def test_numbers_that_jump_once_around_give_a_receiver_no_number_twice() -> None:
    room, _, to = three()
    to[B].current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True), layered(32_000, 1), layered(64_000, 1), layered(101, 0))
    assert received(room, B) == [(100, 100, 100)]
    room.reads(layered(102, 0), layered(103, 0))
    assert [number for number, _, _ in received(room, B)] == [100, 101]


def test_a_gap_before_a_picture_that_no_receiver_gets_is_asked_for() -> None:
    room, a, to = three()
    a.mends = frozenset({"video"})
    for subscription in to.values():
        subscription.current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True), layered(102, 2))
    assert [data[8:14] for data in room.sent[A] if data[1] == 205] == [pack("!IH", 2, 101)]


def test_what_a_weak_receiver_misses_is_asked_of_the_sender_under_its_own_number() -> None:
    room, a, to = three()
    a.mends = frozenset({"video"})
    to[B].current["video"].layers.target = 0  # type: ignore[union-attr]
    room.reads(layered(100, 0, key=True), layered(101, 1), layered(102, 1), layered(104, 0))
    room.sent[A].clear()
    a.sources[2].missing.clear()
    room.reads((pack("!BBHIIHH", 0x81, 205, 3, 99, 21, 101, 0), B))
    assert [data[8:14] for data in room.sent[A] if data[1] == 205] == [pack("!IH", 2, 103)]


def test_only_sound_that_is_forwarded_counts_for_the_active_speaker() -> None:
    room, a, to = three()
    packet = bytearray(build(AUDIO, 1, 960, 1, bytes(8) + b"sound"))
    packet[0] |= 0x10
    packet[12:20] = b"\xbe\xde\0\x01\x10\x9e\0\0"  # the extension has the sound's level, -30 dBov
    room.reads((bytes(packet), A), sound(2))
    assert a.voice.take() == 25 / 4
    for subscription in to.values():
        subscription.open = False
        subscription.refresh()
    room.reads((bytes(packet), A))
    assert a.voice.take() == 0.0, "muted, or before the gate"


def test_receivers_requests_for_keyframes_are_one_request_and_then_a_pause() -> None:
    room, a, _ = three()
    room.reads(picture(1, KEY))
    for sender, ssrc in ((B, 21), (C, 31), (B, 21)):
        room.reads((pack("!BBHII", 0x81, 206, 2, 99, ssrc), sender))
    wanted = [pack("!BBHII", 0x81, 206, 2, 11, 2)]
    room.reads(picture(2, KEY))
    room.forwarder.mender.retry(a, 110.0)
    assert room.sent[A] == wanted, "the same keyframe is for all"
    room.now_s = 100.2
    room.reads((pack("!BBHII", 0x81, 206, 2, 99, 31), C), picture(3))
    assert room.sent[A] == wanted
    room.forwarder.mender.retry(a, 100.49)
    assert room.sent[A] == wanted
    room.forwarder.mender.retry(a, 100.51)
    room.forwarder.mender.retry(a, 200.0)
    assert room.sent[A] == wanted * 2


def test_reports_go_to_each_other_party_about_its_own_streams() -> None:
    room, _, to = three()
    room.reads(picture(1, KEY))
    block = pack("!IIIIII", 21, 0x40000000, 1, 0, 0, 0)
    room.reads((pack("!BBHI", 0x81, 201, 7, 99) + block, B))
    # only B has lost packets, so the report to A shows no loss
    block = pack("!IIIIII", 2, 0, 1, 0, 0, 0)
    assert room.sent[A] == [pack("!BBHI", 0x81, 201, 7, 11) + block]
    assert len(room.sent[C]) == 1
    assert to[B].estimate.kbps == 400 * 0.875
    assert to[C].estimate.kbps == 2500
    room.endpoints[1].subscribers[room.endpoints[0]].open = False
    room.reads((pack("!BBHII", 0x81, 206, 2, 99, 21), B))
    assert len(room.sent[A]) == 1
    del room.endpoints[0].subscribers[room.endpoints[1]]
    room.endpoints[1].subscribers[room.endpoints[0]].open = True
    room.reads((pack("!BBHII", 0x81, 206, 2, 99, 21), B))
    assert len(room.sent[A]) == 1, "A sends nothing to B any more"
