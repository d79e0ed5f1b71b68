"""Tests an endpoint (the connection to one browser): its streams, who receives them, and how many
packets it may send.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from media.forwarding import endpoint
from media.forwarding.endpoint import Endpoint
from media.protocols.codecs import StreamKind
from media.protocols.rtp import build, transport_cc_at
from media.protocols.transport_cc import read_feedback
from tests.media.forwarding.unencrypted import A, B, UnencryptedRoom, pair

SSRCS: dict[StreamKind, int] = {"audio": 1, "video": 2, "rtx": 3}


def test_a_new_endpoint_receives_three_streams_and_sends_none() -> None:
    made = Endpoint(SSRCS)
    assert {kind: (sink.ssrc, sink.endpoint) for kind, sink in made.sinks.items()} == {
        kind: (ssrc, made) for kind, ssrc in SSRCS.items()
    }
    assert (made.sources, made.current, made.gate, made.allowed) == ({}, {}, False, {"audio", "video"})
    assert (made.withheld, made.answering, made.cc_shift, made.cc_next) == (0, False, 0, 0)
    assert (made.budget, made.limited_s) == (1_500_000, 0.0)
    times = made.received_s, made.feedback_s, made.looked_s, made.opened_s
    assert times == (0.0,) * 4, "nothing has happened yet"


def test_an_endpoint_is_ready_with_keys_and_an_address() -> None:
    made = UnencryptedRoom(A).endpoints[0]
    assert made.ready
    made.tx = None
    assert not made.ready
    made.tx, made.address = object(), None
    assert not made.ready


def test_a_second_stream_of_a_kind_replaces_the_first() -> None:
    made = Endpoint(SSRCS)
    first = made.learn(7, "video")
    first.forward = True
    assert made.learn(7, "video") is first
    second = made.learn(8, "video")
    assert not first.forward
    assert made.current == {"video": second}
    assert made.sources == {7: first, 8: second}
    assert made.learn(8, "rtx") is not second


def test_a_stream_that_was_not_offered_is_counted_and_not_used() -> None:
    made = Endpoint(SSRCS)
    assert made.learn_from_packet(9, 13) is None
    assert (list(made.sources), made.current) == ([9], {})
    found = made.learn_from_packet(10, 97)
    assert found is not None
    assert made.current == {"rtx": found}


def test_a_route_opens_what_is_allowed_and_asks_for_the_videos_keyframe_once() -> None:
    room, a, b = pair()
    assert {kind: source.forward for kind, source in a.current.items()} == {
        "audio": True, "video": True, "rtx": True,
    }  # fmt: skip
    assert {ssrc: source.ssrc for ssrc, source in b.received.items()} == {20: 1, 21: 2, 22: 3}
    assert a.route(b, True) == []
    a.allowed = {"audio"}
    assert a.route(b, True) == []
    assert [source.forward for source in a.current.values()] == [True, False, False]
    a.current["video"].missing.add("video", 10, 2, 1.0)
    a.route(b, True)
    assert not a.current["video"].missing, "what is not forwarded is not requested again"
    a.allowed = {"video"}
    a.current["video"].settled = True
    assert a.route(b, True) == [a.current["video"]]
    assert not a.current["video"].settled
    assert a.current["audio"].settled is False
    b.tx = None
    assert a.route(b, True) == []
    assert not any(source.forward for source in a.current.values())
    assert room.sent == {A: [], B: []}


def test_a_route_to_no_receiver_closes_all_sources() -> None:
    _, a, b = pair()
    assert a.route(None, True) == []
    assert (a.peer, a.gate) == (None, True)
    assert all(source.sink is None and not source.forward for source in a.current.values())
    a.route(b, True)
    assert a.current["audio"].sink is b.sinks["audio"]
    b.received[5] = a.current["audio"]
    a.route(b, True)
    assert sorted(b.received) == [20, 21, 22]


def test_transport_wide_numbers_start_again_or_continue_after_the_receivers_last_one() -> None:
    _, a, b = pair()
    a.cc_shift, a.cc_want = 7, 8
    a.route(None, False)
    assert [a.cc_shift, a.cc_want] == [7, 8], "without a receiver nothing is decided"
    a.route(b, False)
    assert [a.cc_shift, a.cc_want] == [0, None]
    b.cc_last = 65_500
    a.route(b, False)
    assert a.cc_want is None, "nothing was opened"
    a.route(b, True)
    assert a.cc_want == 28
    b.cc_last = 100
    a.route(b, True)
    assert a.cc_want == 28


def test_an_endpoint_that_gets_more_receivers_goes_on_in_its_own_numbers() -> None:
    _, a, _ = pair()
    a.current["video"].payload_type, a.current["rtx"].payload_type = 102, 103
    a.current["audio"].payload_type = 63
    a.unpair()
    assert (a.peer, a.gate, a.cc_next) == (None, False, 0)
    types = {kind: source.payload_type for kind, source in a.current.items()}
    assert types == {"audio": 63, "video": 96, "rtx": 97}, "VP8, which has layers"
    a.cc_last = 65_500
    a.unpair()
    assert a.cc_next == 28


def test_after_a_change_of_codec_the_video_begins_again_and_its_retransmissions_do_not() -> None:
    _, a, b = pair()
    b.takes |= {102}
    video, again = a.current["video"], a.current["rtx"]
    video.settled = again.settled = True
    assert a.follow(again, 103)
    assert again.settled
    assert a.follow(video, 102)
    assert not video.settled, "the receiver needs a keyframe of the other codec"


@pytest.mark.parametrize(("answering", "want", "shift"), [(True, None, 0), (False, 0, 0), (False, None, 1)])
def test_packets_that_need_more_than_new_numbers_are_marked(
    answering: bool, want: int | None, shift: int
) -> None:
    _, a, _ = pair()
    assert {kind: source.special for kind, source in a.current.items()} == {
        "audio": False, "video": False, "rtx": True,
    }  # fmt: skip
    a.answering, a.cc_want, a.cc_shift = answering, want, shift
    a.mark()
    assert all(source.special for source in a.current.values())
    a.answering, a.cc_want, a.cc_shift = False, None, 0
    a.mark()
    assert not a.current["audio"].special


def test_withheld_packets_are_answered_until_an_interval_without_any() -> None:
    _, a, _ = pair()
    assert a.feedback(100.0) is None
    packet = bytearray(build(111, 1, 1, 1, b"", transport_cc=0x1234))
    a.withhold(packet, len(packet))
    a.withhold(packet, len(packet))
    assert (a.withheld, a.answering, a.current["audio"].special) == (2, True, True)
    found = a.feedback(100.0)
    assert found is not None
    assert found[4:16] == bytes.fromhex("0000000b 00000002 12340001")
    assert (a.withheld, a.answering) == (0, True)
    assert a.feedback(100.0) is None
    assert (a.answering, a.current["audio"].special) == (False, False)
    a.note_arrival(packet, len(packet))
    assert a.feedback(100.0) is None


def test_while_a_receiver_that_gave_feedback_is_silent_the_server_gives_it() -> None:
    _, a, b = pair()
    packet = bytearray(build(111, 1, 1, 1, b"", transport_cc=5))

    def answers(now_s: float) -> bool:
        a.note_arrival(packet, len(packet))
        return a.feedback(now_s) is not None

    assert not answers(100.0), "it never gave any"
    b.feedback_s = 100.0
    assert not answers(100.4)
    assert answers(100.5)
    assert a.current["audio"].special
    assert answers(200.0)
    b.feedback_s = 200.0
    answers(200.1)
    assert not answers(200.15)
    assert not a.current["audio"].special
    a.route(b, False)
    assert not answers(300.0)


def test_feedback_has_the_times_of_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    _, a, _ = pair()
    times_ns = iter((640_000_000, 640_250_000))
    monkeypatch.setattr(endpoint, "time", SimpleNamespace(monotonic_ns=lambda: next(times_ns)))
    for number in (0x1234, 0x1235):
        packet = bytearray(build(111, 1, 1, 1, b"", transport_cc=number))
        a.withhold(packet, len(packet))
    found = a.feedback(100.0)
    assert found is not None
    assert read_feedback(found) == ([(0x1234, 640_000), (0x1235, 640_250)], 0)


def test_packets_continue_the_transport_wide_numbers_that_the_peer_expects() -> None:
    _, a, _ = pair()
    a.cc_want = 0xFFFE

    def renumbered(number: int) -> int:
        packet = bytearray(build(111, 1, 1, 1, b"", transport_cc=number))
        a.renumber(packet, len(packet))
        at = transport_cc_at(packet, len(packet))
        return packet[at] << 8 | packet[at + 1]

    assert [renumbered(number) for number in (0x12FF, 0x1300, 0x1301, 0x1402)] == [0xFFFE, 0xFFFF, 0, 0x101]
    assert a.current["audio"].special
    a.cc_want = 9
    plain = bytearray(build(111, 1, 1, 1, b""))
    a.renumber(plain, len(plain))
    assert (bytes(plain), a.cc_want) == (build(111, 1, 1, 1, b""), 9)


def test_feedback_is_about_the_video_or_else_the_sound_or_nothing() -> None:
    made = Endpoint(SSRCS)
    packet = bytearray(build(111, 1, 1, 1, b"", transport_cc=1))
    made.withhold(packet, len(packet))
    assert made.feedback(100.0) is None
    made.learn(77, "audio")
    made.withhold(packet, len(packet))
    found = made.feedback(100.0)
    assert found is not None
    assert found[8:12] == bytes((0, 0, 0, 77))
    without = bytearray(build(111, 1, 1, 1, b""))
    made.withhold(without, len(without))
    assert made.feedback(100.0) is None, "it has no transport-wide number"


def test_the_budget_is_a_second_of_12_mbit() -> None:
    made = Endpoint(SSRCS)
    made.budget = -500
    made.refill(0.5)
    assert made.budget == 749_500
    made.refill(1.0)
    assert made.budget == 1_500_000


def test_pictures_are_not_forwarded_to_a_side_whose_network_is_too_weak_for_them() -> None:
    _, a, b = pair()
    b.pause.paused = True
    a.route(b, True)
    assert [source.forward for source in a.current.values()] == [True, False, False]
    b.pause.paused = False
    assert a.route(b, True) == [a.current["video"]]
    assert all(source.forward for source in a.current.values())
