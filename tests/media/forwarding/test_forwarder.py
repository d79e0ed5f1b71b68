"""Tests the forwarding of unencrypted packets: which packets the other party receives, and what is counted."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest

from media.protocols.rtp import build
from tests.media.forwarding.unencrypted import (
    AUDIO,
    KEY,
    RTX,
    VIDEO,
    A,
    B,
    C,
    UnencryptedRoom,
    pair,
    picture,
    sound,
)

# The request that the server sends for a keyframe of A's video; 11 is the server's own SSRC.
LOSS = pack("!BBHII", 0x81, 206, 2, 11, 2)
SIZE = len(sound(1)[0])


def test_sound_crosses_with_the_number_of_the_receivers_stream() -> None:
    room, _, b = pair()
    room.reads(sound(7), sound(8))
    assert room.sent == {A: [], B: [build(AUDIO, n, 960 * n, 20, b"sound") for n in (7, 8)]}
    assert room.counted() == {"received": 2, "forwarded": 2, "forwarded_octets": 2 * SIZE}
    sink = b.sinks["audio"]
    assert (sink.sequence, sink.timestamp, sink.at_s) == (8, 960 * 8, 100.0)


def test_an_older_packet_crosses_and_moves_nothing_back() -> None:
    room, a, b = pair()
    room.reads(sound(7), sound(9), sound(8))
    assert len(room.sent[B]) == 3
    assert (b.sinks["audio"].sequence, a.sources[1].packets, a.sources[1].octets) == (9, 3, 3 * SIZE)
    room.reads(sound(8))
    assert (len(room.sent[B]), room.counted()["withheld"]) == (3, 1), "it was sent before"


def test_a_packet_is_late_if_its_number_is_half_of_all_numbers_or_more_away() -> None:
    room, _, b = pair()
    room.reads(sound(7), sound(7 + 0x8000))
    assert (b.sinks["audio"].sequence, room.counted()["withheld"]) == (7, 1)
    room.reads(sound(6 + 0x8000))
    assert b.sinks["audio"].sequence == 6 + 0x8000


def test_a_new_stream_goes_on_in_the_numbers_of_the_one_before() -> None:
    room, a, _ = pair()
    room.reads(sound(65_535))
    a.learn(5, "audio")
    room.forwarder.reroute(a)
    room.now_s = 100.5
    room.reads((build(AUDIO, 500, 7, 5, b"new"), A))
    assert room.sent[B][-1] == build(AUDIO, 0, 960 * 65_535 + 24_000, 20, b"new")


@pytest.mark.parametrize(
    ("datagram", "counted"),
    [
        (bytes(11), {"dropped": 1}),
        (b"\x80" + bytes(1600), {"dropped": 1}),
        (b"\x80\x6f" + bytes(10), {"strays": 1}),
        (b"\x00" + bytes(11), {"stun": 1}),
        (b"\x03" + bytes(11), {"stun": 1}),
        (b"\x04" + bytes(11), {"dropped": 1}),
        (b"\x13" + bytes(11), {"dropped": 1}),
        (b"\x14" + bytes(11), {"strays": 1}),
        (b"\x3f" + bytes(11), {"strays": 1}),
        (b"\x40" + bytes(11), {"dropped": 1}),
        (b"\x7f" + bytes(11), {"dropped": 1}),
        (b"\xbf\x6f" + bytes(10), {"strays": 1}),
        (b"\xc0" + bytes(11), {"dropped": 1}),
    ],
)
def test_a_datagram_from_an_unknown_address_is_classified_by_its_first_byte(
    datagram: bytes, counted: dict[str, int]
) -> None:
    room, _, _ = pair()
    room.reads((datagram, C))
    assert room.counted() == counted
    assert room.others.stun == ([(datagram, C)] if "stun" in counted else [])


def test_a_handshake_is_passed_on_with_its_endpoint() -> None:
    room, a, _ = pair()
    for first in (20, 63):
        room.reads((bytes((first,)) + bytes(20), A))
    assert [(endpoint, data[0], len(data)) for endpoint, data in room.others.dtls] == [
        (a, 20, 21),
        (a, 63, 21),
    ]
    assert room.counted() == {"dtls": 2}


def test_before_the_certificate_is_checked_nothing_is_read() -> None:
    room, a, _ = pair()
    a.rx = None
    room.reads(sound(1))
    assert room.counted() == {"strays": 1}


def test_a_turn_reads_64_datagrams() -> None:
    room, _, _ = pair()
    inbox = room.reads(*(sound(number) for number in range(70)))
    assert len(inbox.waiting) == 6


@pytest.mark.parametrize(
    "first",
    [
        (bytes(11), A),
        (b"\x00" + bytes(11), A),
        (b"\x80\x6f" + bytes(10), C),
        (b"\x80\xc8" + bytes(10), A),
        (build(AUDIO, 1, 1, 99, b"too many"), A),
        (build(99, 1, 1, 1, b"odd"), A),
    ],
    ids=["too short", "stun", "stray", "control", "one stream too many", "unknown type"],
)
def test_a_packet_that_is_not_forwarded_does_not_stop_the_next_one(first: tuple[bytes, Any]) -> None:
    room, a, _ = pair()
    for ssrc in range(50, 63):
        a.learn(ssrc, "rtx")
    inbox = room.reads(first, sound(2))
    assert (inbox.waiting, len(room.sent[B])) == ([], 1)


def test_a_packet_with_the_number_of_the_newest_one_is_not_sent() -> None:
    room, _, _ = pair()
    room.reads(sound(1), (build(AUDIO, 1, 70_000, 1, b"other"), A), sound(2))
    assert room.sent[B] == [build(AUDIO, n, 960 * n, 20, b"sound") for n in (1, 2)]
    assert room.counted()["withheld"] == 1


def test_errors_of_the_socket_and_of_the_server_end_a_reading_and_are_counted() -> None:
    room, a, _ = pair()
    room.reads(sound(1), OSError(), sound(2))
    assert room.counted() == {"received": 1, "forwarded": 1, "forwarded_octets": SIZE, "dropped": 1}
    a.rx = None
    room.forwarder.endpoints[A] = None  # type: ignore[assignment]
    room.reads(sound(1), ValueError())
    assert room.forwarder.counters.faults == 1


@pytest.mark.parametrize(("status", "name"), [(9, "replayed"), (10, "replayed"), (7, "unauthentic")])
def test_what_srtp_refuses_is_counted_by_its_reason(status: int, name: str) -> None:
    room, a, _ = pair()
    a.rx.unprotect = a.rx.unprotect_rtcp = status
    room.reads(sound(1), (LOSS, A))
    assert room.counted() == {"received": 1, name: 2}
    assert a.sources[1].packets == 0


def test_a_known_stream_from_a_new_address_is_passed_on_if_it_is_authentic_and_counted_if_not() -> None:
    room, a, _ = pair()
    room.forwarder.stray_looks = 3
    room.reads((sound(1)[0], C))
    assert room.others.moved == [(a, C)]
    assert room.counted() == {"strays": 1}
    a.rx.unprotect = 7
    room.reads((sound(2)[0], C), (build(AUDIO, 3, 0, 99, b"unknown"), C), (sound(4)[0], C))
    assert room.others.moved == [(a, C)]
    assert room.counted() == {"strays": 4, "unauthentic": 1}, "three were looked at, of which two were a's"


def test_a_packet_that_cannot_be_sent_is_dropped() -> None:
    room, _, b = pair()
    b.tx.protect = 1
    room.reads(sound(1))
    assert room.counted() == {"received": 1, "dropped": 1}

    def full(packet: Any, to: Any) -> int:
        raise BlockingIOError

    b.tx.protect, b.sendto = 0, full
    room.reads(sound(2))
    assert room.counted() == {"received": 2, "dropped": 2}


def test_packets_beyond_the_budget_of_bytes_are_dropped() -> None:
    room, a, _ = pair()
    a.budget = 2 * SIZE
    room.reads(sound(1), sound(2), sound(3))
    assert room.counted() == {"received": 3, "forwarded": 2, "forwarded_octets": 2 * SIZE, "dropped": 1}


def test_behind_a_closed_gate_packets_are_withheld_and_answered_here() -> None:
    room, a, b = pair()
    a.route(b, False)
    room.reads(sound(1, transport_cc=7), sound(2, transport_cc=8))
    assert room.counted() == {"received": 2, "withheld": 2}
    assert (a.answering, a.withheld, len(a.arrivals), room.sent[B]) == (True, 2, 2, [])


def test_another_payload_type_in_a_known_stream_is_withheld() -> None:
    room, _, _ = pair()
    room.reads((build(VIDEO, 1, 1, 1, KEY), A))
    assert room.counted() == {"received": 1, "withheld": 1}


def test_a_stream_that_was_not_announced_is_learned_by_its_payload_type() -> None:
    room, a, _ = pair()
    room.reads((build(AUDIO, 1, 1, 77, b"new"), A), (build(99, 1, 1, 78, b"odd"), A))
    assert room.counted() == {
        "received": 2, "forwarded": 1, "forwarded_octets": len(build(AUDIO, 1, 1, 77, b"new")), "dropped": 1,
    }  # fmt: skip
    assert a.current["audio"].ssrc == 77
    assert room.sent[B] == [build(AUDIO, 1, 1, 20, b"new")]


def test_a_browser_has_at_most_sixteen_streams() -> None:
    room, a, _ = pair()
    room.reads(*((build(AUDIO, 1, 1, 100 + number, b"x"), A) for number in range(14)))
    assert len(a.sources) == 16
    assert room.forwarder.counters.dropped == 1
    room.reads(sound(1))
    assert room.forwarder.counters.dropped == 1, "known ones go on"


# --- forwarding of video


def test_a_video_begins_with_a_keyframe_which_is_asked_for_every_150_ms() -> None:
    room, a, _ = pair()
    a.sources[2].keyframe_due_s = 100.0
    for moment in (100.0, 100.14, 100.15):
        room.now_s = moment
        room.reads(picture(1))
    assert room.sent == {A: [LOSS, LOSS], B: []}
    assert (a.withheld, room.counted()["withheld"]) == (3, 3)
    room.reads(picture(2, KEY), picture(3))
    assert room.sent[B] == [build(VIDEO, 2, 6000, 21, KEY), build(VIDEO, 3, 9000, 21, b"\x10\x01delta")]


def test_a_black_first_picture_is_shown_only_if_no_better_one_comes() -> None:
    room, a, _ = pair()
    a.sources[2].keyframe_due_s = 1000.0
    room.reads(picture(1, KEY, marker=True))
    assert room.sent == {A: [], B: []}
    room.now_s = 100.7
    room.reads(picture(2, KEY, marker=True))
    assert len(room.sent[B]) == 1


def retransmission(number: int, original: int, **more: Any) -> tuple[bytes, Any]:
    """Return a retransmission with the sequence number `number`: A sends its picture `original` again.

    `more`: arguments of `picture`.
    """
    return build(RTX, number, 3000 * original, 3, pack("!H", original) + KEY, **more), A


def test_a_retransmission_names_its_original_in_the_receivers_numbers() -> None:
    room, a, _ = pair()
    room.reads(picture(10, KEY), picture(11))
    a.sources[2].sequence_shift, a.sources[2].timestamp_shift = 0xFFF0, 5
    a.sources[2].packets = 100
    room.reads(retransmission(1, 20))
    assert room.sent[B][-1] == build(RTX, 1, 60_005, 22, pack("!H", 4) + KEY)


def test_a_retransmission_of_what_was_not_forwarded_is_withheld() -> None:
    room, a, _ = pair()
    room.reads(retransmission(1, 9))
    assert room.counted() == {"received": 1, "withheld": 1}
    room.reads(picture(10, KEY))
    room.reads(retransmission(2, 9), retransmission(3, 10))
    assert room.counted()["withheld"] == 2
    assert a.withheld == 2
    assert [packet[1] & 0x7F for packet in room.sent[B]] == [VIDEO, RTX]
    del a.current["video"]
    room.reads(retransmission(4, 10))
    assert room.counted()["withheld"] == 3


def test_a_probe_of_padding_only_is_forwarded_unchanged() -> None:
    room, _, _ = pair()
    probe = bytearray(build(RTX, 1, 0, 3, b"\x00\x00\x03"))
    probe[0] |= 0x20
    room.reads(picture(10, KEY), (bytes(probe), A))
    assert room.sent[B][-1][12:] == b"\x00\x00\x03"


def test_transport_wide_numbers_go_on_after_a_pause_with_a_margin() -> None:
    room, a, b = pair()
    b.cc_last = 65_530
    a.route(b, False)
    a.route(b, True)
    room.reads(sound(1, transport_cc=500), sound(2, transport_cc=501))
    assert room.sent[B] == [
        build(AUDIO, n, 960 * n, 20, b"sound", transport_cc=number) for n, number in ((1, 58), (2, 59))
    ]
    assert (a.cc_want, a.cc_shift) == (None, (58 - 500) & 0xFFFF)
    room.reads(sound(3))
    assert room.sent[B][-1] == build(AUDIO, 3, 960 * 3, 20, b"sound")


def test_while_the_server_answers_itself_arrivals_are_noted() -> None:
    room, a, _ = pair()
    a.answering = True
    a.mark()
    room.reads(sound(1, transport_cc=500))
    assert len(a.arrivals) == 1


def test_a_packet_of_the_server_itself_is_sent_only_to_a_ready_endpoint() -> None:
    room, a, _ = pair()
    room.forwarder.send_rtcp(a, b"own")
    assert room.sent[A] == [b"own"]
    room.forwarder.send_rtcp(a, bytes(1600))
    room.forwarder.send_rtcp(a, bytes(1601))
    assert [len(packet) for packet in room.sent[A]] == [3, 1600]
    a.tx.protect_rtcp = 1
    room.forwarder.send_rtcp(a, b"own")
    a.tx.protect_rtcp = 0
    assert room.counted() == {"dropped": 1}
    for field, value in (("tx", None), ("address", None), ("sendto", None)):
        kept = getattr(a, field)
        setattr(a, field, value)
        room.forwarder.send_rtcp(a, b"own")
        setattr(a, field, kept)

    def full(packet: Any, to: Any) -> int:
        raise OSError

    a.sendto = full
    room.forwarder.send_rtcp(a, b"own")
    assert room.counted() == {"dropped": 2}
    assert len(room.sent[A]) == 2


def test_a_room_of_three_has_three_endpoints() -> None:
    assert len(UnencryptedRoom(A, B, C).endpoints) == 3
