"""Tests retransmission of lost packets: from the server to a receiver, and from a sender to the server."""

from __future__ import annotations

from struct import pack, unpack_from
from typing import Any

import pytest

from media.forwarding.endpoint import Endpoint
from media.forwarding.mending import MEND_S, OUTAGE_S
from media.forwarding.streams import ASK_AGAIN_S, ASKED_MAX, GAP_MAX, KEPT
from media.protocols import rtcp
from media.protocols.rtp import build
from media.protocols.transport_cc import build_feedback
from tests.media.forwarding.unencrypted import (
    DELTA,
    KEY,
    RTX,
    VIDEO,
    A,
    B,
    UnencryptedRoom,
    pair,
    picture,
    sound,
)

SOUND, PICTURE, AGAIN = 20, 21, 22  # the SSRCs of A's sound, video and retransmissions, as B receives them
SHIFT = 1000  # B receives A's packets with sequence numbers that are higher by this number


def mended(mends: bool = True) -> tuple[UnencryptedRoom, Endpoint, Endpoint]:
    """Return (the room, the endpoint of A, that of B). Media may pass, and B's numbers are A's plus SHIFT.
    `mends`: True if A sends lost packets again.
    """
    room, a, b = pair()
    a.mends = frozenset({"audio", "video"} if mends else set())
    for kind in ("audio", "video"):
        sink = b.sinks[kind]
        sink.used, sink.sequence, sink.feeder = True, SHIFT + 9, a.current[kind]
    room.reads(sound(10), picture(10, KEY))
    del room.sent[B][:]
    return room, a, b


def request(ssrc: int, *numbers: int, sender: Any = B) -> tuple[bytes, Any]:
    """Return the packet with which `sender` requests packets of the stream `ssrc` again.

    `numbers`: the sequence numbers that these packets have at `sender`.
    """
    return rtcp.nack(7, ssrc, numbers), sender


def asked(room: UnencryptedRoom) -> list[tuple[int, list[int]]]:
    """Return (stream, numbers) for each request to A that the server has sent since the last call."""
    sent, room.sent[A] = room.sent[A], []
    return [(unpack_from("!I", data, 8)[0], rtcp.requested(data)) for data in sent if data[1] == 205]


def repeated(number: int, original: int, **more: Any) -> tuple[bytes, Any]:
    """Return a retransmission with the sequence number `number`: A sends its picture `original` again."""
    return build(RTX, number, 3000 * original, 3, pack("!H", original) + DELTA, **more), A


# --- packets that are lost between the server and a receiver


def test_lost_sound_is_sent_again_byte_for_byte_and_the_sender_is_not_asked() -> None:
    room, _, _ = mended()
    room.reads(sound(11, transport_cc=5), sound(12, transport_cc=6))
    first = room.sent[B][0]
    room.reads(request(SOUND, SHIFT + 11))
    assert room.sent[B][2:] == [first]
    assert asked(room) == []


def test_a_lost_picture_is_sent_again_as_a_retransmission_with_numbers_of_its_own() -> None:
    room, _, _ = mended()
    room.reads(picture(11, marker=True, transport_cc=5), picture(12))
    room.reads(request(PICTURE, SHIFT + 11, SHIFT + 12))
    assert room.sent[B][2:] == [
        build(RTX, 1, 33_000, AGAIN, pack("!H", SHIFT + 11) + DELTA, marker=True, transport_cc=5),
        build(RTX, 2, 36_000, AGAIN, pack("!H", SHIFT + 12) + DELTA),
    ]
    assert asked(room) == []


def test_a_receiver_without_retransmissions_gets_the_picture_byte_for_byte() -> None:
    room, _, b = mended()
    b.takes_rtx = False
    room.reads(picture(11))
    room.reads(request(PICTURE, SHIFT + 11))
    assert room.sent[B][1:] == room.sent[B][:1]


def test_retransmissions_of_the_server_and_of_the_sender_are_one_stream() -> None:
    room, _, _ = mended()
    room.reads(picture(11), picture(13))
    room.reads(request(PICTURE, SHIFT + 11), repeated(400, 12), repeated(401, 12))
    room.reads(request(PICTURE, SHIFT + 11))
    numbers = [unpack_from("!H", data, 2)[0] for data in room.sent[B] if data[1] & 0x7F == RTX]
    assert numbers == [1, 2, 3, 4]


def test_a_retransmission_is_not_sent_again_by_its_own_number() -> None:
    room, _, _ = mended()
    room.reads(picture(11), repeated(400, 11), request(AGAIN, 0, 1))
    assert [data[1] & 0x7F for data in room.sent[B]] == [VIDEO, RTX]
    assert room.counted()["rtcp"] == 1
    assert "faults" not in room.counted()


def test_the_newest_packets_are_kept_and_no_more() -> None:
    room, a, b = mended(mends=False)
    room.reads(*(picture(number) for number in range(11, 11 + KEPT)))
    room.reads(request(PICTURE, SHIFT + 10, SHIFT + 11, SHIFT + 10 + KEPT, SHIFT + 11 + KEPT))
    again = [unpack_from("!H", data, 12)[0] - SHIFT for data in room.sent[B] if data[1] & 0x7F == RTX]
    assert again == [11, 10 + KEPT]
    for sink in b.sinks.values():
        assert len(sink.kept) == (0 if sink.kind == "rtx" else KEPT)
    assert a.sources[2].missing._asked == {}


def test_a_packet_no_longer_kept_is_requested_from_the_sender_if_it_can_be_video() -> None:
    room, _, _ = mended()
    room.reads(*(picture(number) for number in range(11, 13 + KEPT)))
    room.reads(*(sound(number) for number in range(11, 13 + KEPT)))
    room.reads(request(PICTURE, SHIFT + 9, SHIFT + 10, SHIFT + 11, SHIFT + 500), request(SOUND, SHIFT + 11))
    assert asked(room) == [(2, [10, 11])]


def test_only_the_newest_500_packets_of_a_picture_are_asked_of_the_sender() -> None:
    room, _, b = mended()
    b.sinks["video"].sequence = SHIFT + 1000
    room.reads(request(PICTURE, SHIFT + 500, SHIFT + 501))
    assert asked(room) == [(2, [501])]


def test_sound_that_was_lost_in_an_outage_is_not_sent_again() -> None:
    room, _, _ = mended()
    longest = GAP_MAX["audio"]
    room.reads(*(sound(number) for number in range(11, 13 + longest)))
    del room.sent[B][:]
    row = range(SHIFT + 11, SHIFT + 12 + longest)
    room.reads(request(SOUND, *row), request(SOUND, SHIFT + 12 + longest))
    assert [unpack_from("!H", data, 2)[0] - SHIFT for data in room.sent[B]] == [12 + longest]


def test_missing_packets_are_looked_for_at_least_as_often_as_a_request_can_be_due() -> None:
    assert MEND_S <= ASK_AGAIN_S


def test_packets_sent_again_are_taken_from_the_budget_of_the_receiver() -> None:
    room, _, b = mended()
    room.reads(picture(11), picture(12), picture(13))
    size = len(room.sent[B][0])
    ask = request(PICTURE, SHIFT + 11, SHIFT + 12, SHIFT + 13)
    b.budget = len(ask[0]) + 2 * size
    room.reads(ask)
    assert len(room.sent[B]) == 3 + 2


def test_a_receiver_that_cannot_be_reached_gets_nothing_again() -> None:
    room, _, b = mended()
    room.reads(picture(11))
    b.tx.protect = 1
    room.reads(request(PICTURE, SHIFT + 11))
    b.tx.protect = 0

    def full(packet: Any, to: Any) -> int:
        raise OSError

    b.sendto = full
    room.reads(request(PICTURE, SHIFT + 11))
    assert len(room.sent[B]) == 1
    assert room.forwarder.counters.faults == 0


# --- packets that are lost between a sender and the server


def test_a_gap_is_asked_for_at_once_in_the_senders_numbers() -> None:
    room, _, _ = mended()
    room.reads(picture(13), sound(12), picture(14))
    assert asked(room) == [(2, [11, 12]), (1, [11])]


def test_a_sender_that_does_not_send_again_is_not_asked() -> None:
    room, _, _ = mended(mends=False)
    room.reads(picture(13), sound(12))
    assert not room.forwarder.mender.mend(200.0)
    assert asked(room) == []


def test_a_missing_packet_is_requested_again_until_it_is_given_up() -> None:
    room, a, _ = mended()
    a.meter.rtt_ms = 99.0
    room.reads(picture(12))
    asked_ms = []
    assert room.others.missing == 1
    for passed_ms in range(0, 20_000, 10):
        more = room.forwarder.mender.mend(100.0 + passed_ms / 1000)
        asked_ms += [passed_ms] * len(asked(room))
    assert asked_ms == [*range(0, 900, 100), 1000, 1400, 2200]
    assert len(asked_ms) == ASKED_MAX
    assert not a.sources[2].missing
    assert not more
    room.reads(picture(15))
    assert room.others.missing == 2, "the relay is asked to look again"


def test_on_a_short_path_a_lost_packet_is_asked_for_often_enough_to_be_no_freeze() -> None:
    room, _, _ = mended()
    room.reads(picture(12))
    requests = 0
    for passed_ms in range(0, 150, 10):
        room.forwarder.mender.mend(room.now_s + passed_ms / 1000)
        requests += len(asked(room))
    assert requests >= 7, "0.36 ** 7: one of a thousand stays lost where a fifth is lost in both directions"


def test_a_packet_that_a_receiver_misses_too_is_requested_again_sooner() -> None:
    room, _, _ = mended()
    room.reads(picture(12), request(PICTURE, SHIFT + 11))
    assert asked(room) == [(2, [11])]
    room.now_s += ASK_AGAIN_S + 0.001
    room.reads(request(PICTURE, SHIFT + 11))
    assert asked(room) == [(2, [11])]


def test_late_sound_is_sent_on_once_and_is_no_longer_missing() -> None:
    room, a, _ = mended()
    room.reads(sound(12), sound(11), sound(11))
    assert [unpack_from("!H", data, 2)[0] - SHIFT for data in room.sent[B]] == [12, 11]
    assert not a.sources[1].missing
    assert room.counted()["withheld"] == 1


def test_a_retransmission_fills_the_servers_gap_and_is_kept_for_the_receiver() -> None:
    room, a, b = mended()
    a.cc_shift = 7
    a.mark()
    room.reads(picture(12, transport_cc=5), repeated(400, 11, transport_cc=6, marker=True))
    assert not a.sources[2].missing
    assert room.sent[B][-1] == build(
        RTX, 400, 33_000, AGAIN, pack("!H", SHIFT + 11) + DELTA, transport_cc=13, marker=True
    )
    room.reads(request(PICTURE, SHIFT + 11))
    assert room.sent[B][-1][12:] == room.sent[B][-2][12:]
    assert b.sinks["video"].kept[(SHIFT + 11) % KEPT] == build(
        VIDEO, SHIFT + 11, 33_000, PICTURE, DELTA, transport_cc=13, marker=True
    )
    sent = len(room.sent[B])
    room.reads(picture(11))
    assert len(room.sent[B]) == sent, "the late original is not sent as well"


def test_a_receiver_without_retransmissions_gets_the_original_of_one_once() -> None:
    room, _, b = mended()
    b.takes_rtx = False
    room.reads(picture(12), repeated(400, 11), repeated(401, 11))
    assert room.sent[B][1:] == [build(VIDEO, SHIFT + 11, 33_000, PICTURE, DELTA)]


@pytest.mark.parametrize(("kind", "ssrc"), [("audio", 1), ("video", 2)])
def test_a_gap_that_is_too_long_is_not_asked_for(kind: Any, ssrc: int) -> None:
    room, a, _ = mended()
    packet = sound if kind == "audio" else picture
    room.reads(packet(11 + GAP_MAX[kind]))
    assert asked(room) == [(ssrc, [*range(11, 11 + GAP_MAX[kind])])]
    a.sources[2].keyframe_due_s = 0.0
    room.reads(packet(13 + 2 * GAP_MAX[kind]))
    keyframes = [data for data in room.sent[A] if data[1] == 206]
    assert (len(keyframes), len(a.sources[ssrc].missing)) == (int(kind == "video"), 0)


@pytest.mark.parametrize("count", [GAP_MAX["video"], GAP_MAX["video"] + 1])
def test_a_receiver_that_misses_too_much_of_a_picture_gets_a_keyframe(count: int) -> None:
    room, a, _ = mended()
    a.sources[2].keyframe_due_s = 0.0
    room.reads(picture(11), picture(12))
    ask = request(PICTURE, *range(SHIFT + 11, SHIFT + 11 + count))
    room.reads(ask, ask)
    again = [data for data in room.sent[B] if data[1] & 0x7F == RTX]
    keyframes = [data for data in room.sent[A] if data[1] == 206]
    assert (len(again), len(keyframes)) == ((4, 0) if count == GAP_MAX["video"] else (0, 1))


def test_a_receiver_that_was_silent_gets_a_keyframe() -> None:
    room, a, b = mended()
    a.sources[2].keyframe_due_s = 0.0
    feedback = build_feedback([(1, 0)], 0, 9, PICTURE), B
    b.feedback_s, room.now_s = 0.2, 0.2 + OUTAGE_S
    room.reads(feedback)
    assert not any(data[1] == 206 for data in room.sent[A]), "no longer than an outage"
    b.feedback_s = 0.0
    asked_s = []
    for now_s in (100.0, 100.7, 101.6, 101.65, 110.0):
        room.now_s = now_s
        room.reads(feedback)
        asked_s += [now_s] * sum(data[1] == 206 for data in room.sent[A])
        del room.sent[A][:]
    assert asked_s == [101.6, 110.0]
    a.allowed.discard("video")
    a.route(b, True)
    room.now_s = 120.0
    room.reads(feedback)
    assert not any(data[1] == 206 for data in room.sent[A])


def test_after_an_outage_the_first_packet_of_a_browser_brings_a_keyframe_of_it_and_one_for_it() -> None:
    room, a, b = mended()
    b.learn(5, "video")
    b.route(a, True)
    for source in (a.sources[2], b.sources[5]):
        source.keyframe_due_s = 0.0
    b_pictures = rtcp.picture_loss(20 + 1, 5)
    a_pictures = rtcp.picture_loss(10 + 1, 2)

    def requested(now_s: float) -> tuple[bool, bool]:
        a.last_from = None  # the relay would clear `last_from` at each tick; here the test clears it
        room.now_s = now_s
        for packets in room.sent.values():
            packets.clear()
        room.reads(sound(round(now_s * 50) & 0xFFFF))
        return a_pictures in room.sent[A], b_pictures in room.sent[B]

    assert requested(100.5) == (False, False)
    assert requested(101.2) == (False, False)
    assert requested(102.1) == (True, True), "sound comes sooner than feedback, and than a picture"
    assert requested(102.2) == (False, False)


def test_after_an_outage_a_sender_gets_feedback_for_its_first_packets_at_once() -> None:
    room, a, _ = mended()
    a.last_from, room.now_s, waiting = None, 105.0, room.others.missing
    room.reads(sound(11, transport_cc=600))
    assert room.others.missing == waiting + 1
    del room.sent[A][:]
    assert not room.forwarder.mender.mend(105.01)
    feedback = next(data for data in room.sent[A] if data[:2] == b"\x8f\xcd")
    assert unpack_from("!HH", feedback, 12) == (600, 1)
    assert not a.answering
    room.reads(sound(12, transport_cc=601))
    assert room.others.missing == waiting + 1


# --- a packet that came before the gate opened (media may pass) is not sent again


def test_nothing_from_before_the_gate_opened_is_kept_asked_for_or_sent_again() -> None:
    room, a, b = mended()
    a.route(b, False)
    room.reads(*(sound(number) for number in (11, 12, 14)), *(picture(number) for number in (11, 12, 14)))
    a.route(b, True)
    assert asked(room) == []
    # B's sequence numbers continue without a gap, so the first packet after the pause has the number SHIFT + 11.
    room.reads(sound(16), picture(16, KEY))
    assert asked(room) == []
    del room.sent[B][:]
    everything = range(SHIFT, SHIFT + 11)
    room.reads(request(SOUND, *everything), request(PICTURE, *everything))
    room.reads(sound(15), picture(15), picture(13), repeated(400, 15), sound(13))
    assert (room.sent[B], asked(room)) == ([], [])


def test_while_the_gate_is_closed_nothing_is_sent_again() -> None:
    room, a, b = mended()
    room.reads(sound(11), picture(11), sound(13))
    a.route(b, False)
    b.route(a, False)
    del room.sent[B][:]
    asked(room)
    room.reads(request(SOUND, SHIFT + 11, SHIFT + 12), request(PICTURE, SHIFT + 11))
    room.now_s += 1
    room.forwarder.mender.mend(room.now_s)
    room.reads(sound(12))
    assert (room.sent[B], asked(room)) == ([], [])


def test_nothing_of_a_muted_time_is_sent_again() -> None:
    room, a, b = mended()
    room.reads(sound(11), sound(13))
    a.allowed.discard("audio")
    a.route(b, True)
    room.reads(sound(12), sound(14))
    a.allowed.add("audio")
    a.route(b, True)
    room.reads(sound(16))
    del room.sent[B][:]
    asked(room)
    room.reads(*(request(SOUND, SHIFT + number) for number in range(17)), sound(15), sound(14))
    assert [unpack_from("!I", data, 4)[0] // 960 for data in room.sent[B]] == [16]
    assert asked(room) == []
