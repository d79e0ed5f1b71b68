"""Tests streams at their bounds: how many missing packets are requested, and numbers that pass 0xFFFF."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from media.forwarding import streams
from media.forwarding.endpoint import Endpoint
from media.forwarding.quality import Flow
from media.forwarding.streams import Missing, Source, sequence_older
from media.protocols import red
from media.protocols.codecs import OPUS, RED, VP8
from media.protocols.rtp import build, retransmission
from tests.media.forwarding.test_streams import SSRCS, fed, sent


def sound() -> Source:
    """Return a source of sound whose forwarding begins at packet 100. Its receiver accepts RED."""
    source = Source("audio", 11)
    source.sink = Endpoint(SSRCS).sinks["audio"]  # type: ignore[arg-type]
    source.sink.endpoint.takes_red = True
    source.settle(100, 5_000, 1.0)
    return source


def test_the_measured_times_and_counts_of_mending_are_these() -> None:
    assert (streams.KEPT, streams.MISSING_MAX) == (46, 256)
    assert streams.GAP_MAX == {"audio": 12, "video": 64, "rtx": 0}
    assert (streams.ASKED_MAX, streams.ASKED_STEADILY, streams.ASK_AGAIN_S) == (12, 8, 0.015)
    assert (streams.KEYFRAME_RETRY_S, streams.BLANK_PATIENCE_S) == (0.15, 0.6)


def test_a_new_source_and_a_new_sink_have_no_numbers_yet() -> None:
    source, sink = Source("video", 10), Endpoint(SSRCS).sinks["video"]  # type: ignore[arg-type]
    assert (source.forward, source.settled, source.special, source.guarding) == (False,) * 4
    assert (source.sequence_shift, source.timestamp_shift, source.settled_at) == (0, 0, 0)
    assert (source.packets, source.octets, source.first_forwarded, source.first_sequence) == (0,) * 4
    assert (source.keyframe_due_s, source.keyframe_wanted, source.waiting_s) == (0.0, False, 0.0)
    assert [Source(kind, 1).payload_type for kind in ("audio", "video", "rtx")] == [111, 96, 97]
    assert (sink.sequence, sink.timestamp, sink.at_s, sink.used, sink.feeder) == (0, 0, 0.0, False, None)


# --- missing packets


def test_missing_packets_are_given_up_if_there_are_too_many() -> None:
    missing = Missing()
    assert missing.add("audio", 20, 12, 0.0) == list(range(8, 20))
    assert missing.add("audio", 40, 13, 0.0) == []
    assert len(missing) == 0, "those from before are given up too"
    for end in (100, 200, 300, 400):
        missing.add("video", end, 64, 0.0)
    assert len(missing) == 256
    assert missing.add("video", 1000, 1, 0.0) == []
    assert len(missing) == 0


def test_missing_packets_are_known_by_their_number_until_they_arrive() -> None:
    missing = Missing()
    assert missing.add("video", 1, 3, 0.0) == [0xFFFE, 0xFFFF, 0]
    assert 0xFFFF in missing
    assert 1 not in missing
    missing.arrived(0xFFFF)
    assert 0xFFFF not in missing
    missing.clear()
    assert 0 not in missing


@pytest.mark.parametrize(
    ("rtt_ms", "early_s", "due_s"), [(None, 0.014, 0.015), (5.0, 0.014, 0.015), (1000.0, 0.9995, 1.0)]
)
def test_a_request_is_repeated_after_the_round_trip_and_not_before_15_ms(
    rtt_ms: float | None, early_s: float, due_s: float
) -> None:
    missing = Missing()
    missing.add("video", 6, 1, 0.0)
    assert missing.due(early_s, rtt_ms) == []
    assert missing.due(due_s, rtt_ms) == [5]


def test_each_missing_packet_has_its_own_time_and_its_own_count() -> None:
    missing = Missing()
    missing.add("video", 6, 1, 10.0)
    missing.add("video", 10, 1, 0.0)
    assert missing.due(10.0, None) == [9], "the other one was requested just now"
    assert missing.due(20.0, None, [7, 9]) == [9], "only one of these is missing"
    for now_s in range(30, 300, 30):
        missing.due(float(now_s), None, [5])
    missing.due(1000.0, None, [5])
    missing.due(2000.0, None, [5])
    assert missing.due(3000.0, None) == [9]
    assert 5 not in missing


# --- the forwarding of a source begins, or begins again


def test_a_source_that_must_settle_again_forgets_what_it_kept() -> None:
    source = sound()
    assert source.sink is not None
    source.earlier = 1, b"sound"
    source.missing.add("audio", 5, 2, 0.0)
    source.sink.kept[100 % streams.KEPT] = build(OPUS.payload_type, 100, 0, 1, b"sound")
    source.unsettle()
    forgotten: tuple[object, ...] = source.earlier, source.sink.find(100)
    assert (forgotten, len(source.missing)) == ((None, None), 0)


def test_a_source_that_settles_notes_where_and_watches_only_sound() -> None:
    source = sound()
    assert (source.settled_at, source.guarding, source.first_sequence) == (5_000, True, 100)
    assert source.sink is not None
    source.sink.sequence = 200
    source.settle(150, 6_000, 1.0)
    assert (source.sequence_shift, source.sink.sequence) == (51, 200)
    _, video = fed(100, 0, 0.0)
    assert not video.guarding


def test_the_layers_of_a_video_begin_anew_where_it_settles() -> None:
    _, source = fed(10, 5_000, 0.0)
    begun: list[tuple[int, int]] = []
    layers: Any = SimpleNamespace(restart=lambda *numbers: begun.append(numbers), own_number=lambda n: n + 7)
    assert source.own_number(3) == 3
    source.sequence_shift = 5
    assert source.own_number(3) == 0xFFFE
    source.layers = layers
    source.settle(20, 6_000, 1.0)
    assert begun == [(20, source.sequence_shift)]
    assert source.own_number(3) == 10


def test_a_copy_knows_as_well_since_when_its_packets_may_be_forwarded() -> None:
    copy = sound().copy()
    assert (copy.first_sequence, copy.settled_at, copy.guarding) == (100, 5_000, True)


def test_a_single_packet_is_shown_only_after_the_patience_has_passed() -> None:
    source = Source("video", 10)
    source.waiting_s = 0.25
    assert not source.worth_showing(True, 0.85)


@pytest.mark.parametrize(
    ("payload_type", "receiver", "guarding", "takes_red", "shapes"),
    [
        (RED.payload_type, True, True, True, True),
        (RED.payload_type, True, False, False, True),
        (RED.payload_type, True, False, True, False),
        (RED.payload_type, False, True, True, False),
        (OPUS.payload_type, True, True, True, False),
    ],
)
def test_red_is_changed_for_a_receiver_without_red_and_just_after_the_gate_opened(
    payload_type: int, receiver: bool, guarding: bool, takes_red: bool, shapes: bool
) -> None:
    source = sound()
    assert source.sink is not None
    source.payload_type, source.guarding, source.sink.endpoint.takes_red = payload_type, guarding, takes_red
    if not receiver:
        source.sink = None
    assert source.shapes_red is shapes


# --- comparing numbers that begin again at 0 after 0xFFFF


def test_a_number_half_the_range_ahead_is_a_late_packet_and_no_gap() -> None:
    source = Source("video", 10)
    source.advance(0)
    source.missing.add("video", 0x8001, 1, 0.0)
    assert (source.advance(0x8000), source.newest) == (0, 0)
    assert 0x8000 not in source.missing
    assert (source.advance(0x7FFF), source.newest) == (0x7FFE, 0x7FFF)


def test_a_number_half_the_range_behind_is_older_and_one_less_is_newer() -> None:
    assert sequence_older(0x8000, 0, 0xFFFF)
    assert not sequence_older(0x7FFF, 0, 0xFFFF)


def test_numbers_show_the_age_of_the_packets_since_forwarding_began() -> None:
    source = sound()
    source.packets, source.first_forwarded = 0x3000, 0x2000
    assert source.predates_settling(99)


@pytest.mark.parametrize(
    ("sequence", "receiver", "kept", "takes"),
    [
        (101, True, False, True),
        (101, True, True, False),
        (99, True, False, False),
        (101, False, False, False),
    ],
)
def test_a_late_packet_is_sent_if_it_is_new_to_a_receiver_and_not_from_before(
    sequence: int, receiver: bool, kept: bool, takes: bool
) -> None:
    source = sound()
    sink = source.sink
    assert sink is not None
    sink.sequence = 103
    source.missing.add("audio", sequence + 1, 1, 0.0)
    if kept:
        sink.kept[sequence % streams.KEPT] = build(OPUS.payload_type, sequence, 0, 1, b"sound")
    if not receiver:
        source.sink = None
    assert source.takes_late(sequence) is takes
    assert len(source.missing) == 0, "it has arrived"


# --- retransmissions and RED


def test_a_retransmission_keeps_the_whole_number_and_time_of_its_original() -> None:
    _, source = fed(0x1200, 0x01020304, 0.0)
    source.sequence_shift, source.timestamp_shift = 0x0111, 5
    source.missing.add("video", 0x1235, 1, 0.0)
    packet = bytearray(retransmission(build(VP8.payload_type, 0x1234, 0x01020304, 10, b"picture"), 1, 11))
    at = source.repeat(packet, len(packet))
    assert packet[at : at + 2] == b"\x13\x45"
    assert len(source.missing) == 0
    assert source.sink is not None
    source.sink.sequence = 0x1346
    kept = source.keep_repeated(packet, len(packet), at)
    assert kept is not None
    assert (kept[2:4], kept[4:8]) == (b"\x13\x45", b"\x01\x02\x03\x09")


SINCE = 0x01000000


@pytest.mark.parametrize(
    ("since_settling", "age", "earlier_stays", "watched_on"),
    [
        (960, 960, True, True),
        (960, 961, False, True),
        (0, 1, False, True),
        (-960, 1, False, True),
        (red.AGE_MAX, 960, True, True),
        (red.AGE_MAX + 1, 960, True, False),
        (0x40000000, 960, True, False),
        (0x7FFFFFFE, 960, True, False),
        (0x7FFFFFFF, 960, False, True),
    ],
)
def test_a_red_packet_keeps_what_is_not_older_than_the_gate(
    since_settling: int, age: int, earlier_stays: bool, watched_on: bool
) -> None:
    source = sound()
    source.settled_at = SINCE
    payload = red.build(b"new", [(age, b"old")])
    packet = bytearray(build(RED.payload_type, 101, (SINCE + since_settling) & 0xFFFFFFFF, 11, payload))
    length = source.shape_red(packet, len(packet))
    assert (b"old" in packet[:length], source.guarding) == (earlier_stays, watched_on)


def test_plain_sound_is_repeated_across_every_byte_of_its_time() -> None:
    source, shaped = sound(), []
    for place, timestamp in enumerate((0x00FFFF00, 0x00FFFF00 + 960)):
        packet = bytearray(
            build(OPUS.payload_type, 101 + place, timestamp, 11, b"sound %d" % place) + bytes(40)
        )
        length = source.add_red(packet, len(packet) - 40)
        shaped.append(b"sound 0" in packet[:length] and b"sound 1" in packet[:length])
    assert shaped == [False, True]


# --- the share of lost packets of a source


def test_the_first_sample_has_no_bit_rate_and_no_loss() -> None:
    _, source = fed(0, 0, 0.0)
    source.octets, source.forward = 1000, True
    flow = Flow()
    flow.sample(source, 10.0)
    assert (flow.kbps, flow.loss) == (0.0, None)


def test_a_source_that_is_not_forwarded_has_no_loss() -> None:
    _, source = fed(0, 0, 0.0)
    flow = Flow()
    for at_s in (10.0, 11.0):
        sent(source, int(at_s), 0, at_s)
        flow.sample(source, at_s)
    assert flow.loss is None


@pytest.mark.parametrize(
    ("sequence", "shift", "packets", "loss"),
    [(1, 0, 0, 1.0), (1, 0, 1, 0.0), (4, 0, -4, 1.0), (11, -20, 22, 1 - 22 / 31)],
    ids=[
        "one was expected",
        "one arrived",
        "the counter began anew",
        "the numbers begin anew at the receiver",
    ],
)
def test_loss_is_counted_in_the_numbers_of_the_source(
    sequence: int, shift: int, packets: int, loss: float
) -> None:
    _, source = fed(0, 0, 0.0)
    source.forward, source.packets = True, 100
    flow = Flow()
    flow.sample(source, 10.0)
    assert source.sink is not None
    source.sink.sequence, source.sequence_shift = sequence, shift
    source.packets += packets
    flow.sample(source, 11.0)
    assert flow.loss == pytest.approx(loss)
