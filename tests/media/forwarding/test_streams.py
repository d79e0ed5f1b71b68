"""Tests how the sequence numbers and timestamps of a stream continue, without packets."""

from hypothesis import given
from hypothesis import strategies as st

from media.forwarding.endpoint import Endpoint
from media.forwarding.quality import Flow
from media.forwarding.streams import GAP_MAX, KEPT, Missing, Source, sequence_older
from media.protocols.codecs import OPUS, VP8
from media.protocols.rtp import build, retransmission

SSRCS = {"audio": 1, "video": 2, "rtx": 3}
sequences, timestamps = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def fed(sequence: int, timestamp: int, at_s: float) -> tuple[Endpoint, Source]:
    """Return (an endpoint, a source of video) after one packet of this source was forwarded to the endpoint.

    `sequence`, `timestamp`: the numbers of the packet.

    `at_s`: the time of forwarding.
    """
    endpoint = Endpoint(SSRCS)  # type: ignore[arg-type]
    source = Source("video", 10)
    source.sink = endpoint.sinks["video"]
    source.settle(sequence, timestamp, at_s)
    sent(source, sequence, timestamp, at_s)
    return endpoint, source


def sent(source: Source, sequence: int, timestamp: int, at_s: float) -> tuple[int, int]:
    """Return (sequence number, timestamp) with which the forwarder sends a packet of the source at `at_s`.

    `sequence`, `timestamp`: the numbers with which the packet arrived.
    """
    sink = source.sink
    assert sink is not None
    sink.sequence = (sequence + source.sequence_shift) & 0xFFFF
    sink.timestamp = (timestamp + source.timestamp_shift) & 0xFFFFFFFF
    sink.at_s = at_s
    return sink.sequence, sink.timestamp


@given(sequences, timestamps, sequences, timestamps, st.floats(0.001, 3600))
def test_a_new_source_goes_on_where_the_old_one_stopped(
    sequence: int, timestamp: int, new_sequence: int, new_timestamp: int, passed_s: float
) -> None:
    endpoint, _ = fed(sequence, timestamp, 100.0)
    successor = Source("video", 11)
    successor.sink = endpoint.sinks["video"]
    successor.settle(new_sequence, new_timestamp, 100.0 + passed_s)
    out = sent(successor, new_sequence, new_timestamp, 100.0 + passed_s)
    assert out[0] == (sequence + 1) & 0xFFFF
    assert abs(((out[1] - timestamp) & 0xFFFFFFFF) - passed_s * 90_000) <= 1.01


@given(sequences, timestamps)
def test_the_first_source_of_a_sink_keeps_its_own_numbers(sequence: int, timestamp: int) -> None:
    _, source = fed(sequence, timestamp, 0.0)
    assert (source.sequence_shift, source.timestamp_shift) == (0, 0)


@given(sequences, st.integers(1, 5000))
def test_after_a_pause_the_sequence_has_no_gap_and_timestamps_show_the_time(
    sequence: int, skipped: int
) -> None:
    _, source = fed(sequence, 1_000, 0.0)
    source.unsettle()
    later = (sequence + skipped) & 0xFFFF
    source.settle(later, 1_000 + skipped * 3000, skipped / 30)
    out = sent(source, later, 1_000 + skipped * 3000, skipped / 30)
    assert out == ((sequence + 1) & 0xFFFF, 1_000 + skipped * 3000)


def test_what_was_sent_before_a_source_settled_is_known_across_the_roll_over() -> None:
    _, source = fed(65_530, 0, 0.0)
    for number in range(1, 11):
        source.packets += 1
        sent(source, (65_530 + number) & 0xFFFF, 0, 0.0)
    assert source.predates_settling(65_529)
    assert not source.predates_settling(65_531)
    assert not source.predates_settling(2)


def test_a_source_that_is_not_forwarded_yet_knows_no_earlier_packet() -> None:
    _, source = fed(100, 0, 0.0)
    source.packets, source.first_forwarded = 7, 5
    assert [source.predates_settling(number) for number in (99, 100, 101)] == [True, False, False]
    source.packets = source.first_forwarded + 0x4000
    assert not source.predates_settling(99), "numbers are used again"
    source.unsettle()
    assert source.predates_settling(100)
    source.settled, source.sink = True, None
    assert source.predates_settling(100)


def test_a_first_picture_of_one_packet_waits_for_a_better_one_for_a_moment() -> None:
    source = Source("video", 10)
    assert source.worth_showing(False, 5.0)
    assert not source.worth_showing(True, 5.5)
    assert not source.worth_showing(True, 5.59)
    assert source.worth_showing(True, 5.61)
    source.unsettle()
    assert not source.worth_showing(True, 9.0)


def test_only_the_numbers_between_two_packets_are_missing() -> None:
    source = Source("video", 10)
    assert [source.advance(number) for number in (0xFFFE, 0xFFFF, 1, 0, 1, 5)] == [0, 0, 1, 0, 0, 3]


def test_a_retransmission_from_before_the_first_picture_is_not_for_the_receiver() -> None:
    _, source = fed(20, 5_000, 0.0)
    late, again = (
        bytearray(retransmission(build(VP8.payload_type, number, 0, 10, b"picture"), 1, 11))
        for number in (19, 20)
    )
    assert source.repeat(late, len(late)) == -1
    assert source.repeat(again, len(again)) == 12
    source.unsettle()
    assert source.repeat(again, len(again)) == -1


def test_a_source_that_comes_back_keeps_its_time_unless_it_would_go_backwards() -> None:
    _, source = fed(10, 5_000, 0.0)
    source.unsettle()
    source.settle(20, 4_000, 1.0)
    assert sent(source, 20, 4_000, 1.0) == (11, 5_001)
    source.packets = 3
    source.settle(30, 4_500, 1.0)
    assert sent(source, 30, 4_500, 1.0) == (12, 5_501)
    assert (source.settled, source.first_forwarded) == (True, 3)


def test_settling_a_source_sets_its_sink_to_the_number_before_the_first_packet() -> None:
    endpoint = Endpoint(SSRCS)  # type: ignore[arg-type]
    source = Source("video", 10)
    source.sink = endpoint.sinks["video"]
    source.settle(7, 0, 0.0)
    assert (source.sink.sequence, source.sink.used, source.sink.feeder) == (6, True, source)


def test_a_copy_has_the_numbers_and_takes_the_sink_over() -> None:
    endpoint, source = fed(10, 5_000, 0.0)
    source.forward, source.sequence_shift, source.timestamp_shift = True, 3, 4
    source.packets, source.first_forwarded = 9, 2
    copy = source.copy()
    assert (copy.kind, copy.ssrc, copy.sink) == ("video", 10, endpoint.sinks["video"])
    assert (copy.forward, copy.settled, copy.sequence_shift, copy.timestamp_shift) == (True, True, 3, 4)
    assert (copy.packets, copy.first_forwarded) == (9, 2)
    assert endpoint.sinks["video"].feeder is copy
    source.copy()
    assert endpoint.sinks["video"].feeder is copy, "another feeds it by now"
    assert Source("audio", 11).copy().sink is None


def test_a_flow_is_measured_only_while_it_is_forwarded() -> None:
    _, source = fed(0, 0, 0.0)
    flow = Flow()
    assert (flow.kbps, flow.loss) == (0.0, None)
    flow.sample(source, 10.0)
    source.octets = 1000
    flow.sample(source, 10.0)
    assert flow.kbps == 0.0, "no time has passed"
    source.forward = True
    flow.sample(source, 12.0)
    assert (flow.kbps, flow.loss) == (4.0, None)
    sent(source, 10, 0, 1.0)
    source.packets, source.octets = 11, 500
    flow.sample(source, 13.0)
    assert (flow.kbps, flow.loss) == (0.0, 0.0), (
        "more than expected is no gain, and a counter that began anew no debt"
    )
    flow.sample(source, 14.0)
    assert flow.loss is None, "nothing was expected"
    sent(source, 10 + 0x8000, 0, 1.0)
    flow.sample(source, 15.0)
    assert flow.loss is None, "a jump is no loss"
    sent(source, 10 + 0x8000 + 4, 0, 1.0)
    flow.sample(source, 16.0)
    assert flow.loss == 1.0
    source.unsettle()
    flow.sample(source, 17.0)
    assert flow.loss is None


def test_loss_and_bit_rate_are_those_of_the_last_interval() -> None:
    _, source = fed(0, 0, 0.0)
    source.forward = True
    flow = Flow()
    flow.sample(source, 10.0)
    source.packets, source.octets = 75, 75_000
    sent(source, 100, 0, 1.0)
    flow.sample(source, 11.0)
    assert flow.loss == 0.25
    assert flow.kbps == 600.0


@given(sequences, st.integers(1, 0x7FFF))
def test_a_number_is_older_than_those_up_to_half_the_range_ahead(number: int, ahead: int) -> None:
    assert sequence_older(number, number + ahead, 0xFFFF)
    assert not sequence_older(number + ahead, number, 0xFFFF)


def test_a_missing_packet_is_asked_for_again_after_a_round_trip_then_ever_later() -> None:
    missing = Missing()
    missing.add("video", 8, 1, 0.0)
    asked_s = [now_s for now_s in range(100) if missing.due(float(now_s), 1000.0)]
    assert asked_s == [*range(1, 9), 10, 14, 22]
    assert len(missing) == 0


def test_a_late_packet_is_taken_if_it_is_not_too_old() -> None:
    endpoint, _ = fed(0, 0, 0.0)
    sink = endpoint.sinks["video"]
    assert not sink.takes_late(0xFFFF), "it may have been sent before"
    sink.floor = None
    assert sink.takes_late(0xFFFF)
    assert not sink.takes_late(0x10000 - KEPT)


def test_numbers_from_before_a_stream_began_are_given_to_no_late_packet_and_later_do_not_matter() -> None:
    endpoint, source = fed(100, 0, 0.0)
    sink = endpoint.sinks["video"]
    source.settle(500, 0, 1.0)
    first = sink.sequence + 1
    sink.sequence += 10
    assert [sink.takes_late(first + ahead) for ahead in (-2, -1, 0, 1)] == [False, False, True, True]
    sink.sequence = first + KEPT - 1
    assert sink.takes_late(first)
    assert sink.floor is None


def test_a_packet_from_before_a_jump_is_not_found_under_a_number_that_is_still_to_come() -> None:
    endpoint, _ = fed(50, 0, 0.0)
    sink = endpoint.sinks["video"]
    sink.sequence = 50
    sink.kept[50 % KEPT] = build(VP8.payload_type, 50, 0, 1, b"picture")
    assert sink.find(50) is not None
    sink.sequence = 20
    assert sink.find(50) is None


def test_no_packet_is_sent_twice_as_late_where_the_numbers_begin_again_at_0() -> None:
    endpoint, _ = fed(0, 0, 0.0)
    sink = endpoint.sinks["video"]
    numbers = [(0xFFFF - KEPT + ahead) & 0xFFFF for ahead in range(2 * KEPT)]
    for number in numbers:
        sink.sequence = number
        sink.kept[number % KEPT] = build(VP8.payload_type, number, 0, 1, b"picture")
        assert not any(map(sink.takes_late, numbers[: numbers.index(number) + 1]))


def test_kept_packets_are_forgotten_where_more_are_missing_in_a_row_than_are_sent_again() -> None:
    sink = Endpoint(SSRCS).sinks["audio"]  # type: ignore[arg-type]
    longest, first = GAP_MAX["audio"], 0xFFFA
    numbers = [(first + ahead) & 0xFFFF for ahead in range(2 * longest + 3)]
    for sink.sequence in numbers:
        sink.kept[sink.sequence % KEPT] = build(OPUS.payload_type, sink.sequence, 0, 1, b"sound")
    row, gap = numbers[: longest + 1], numbers[longest + 2 : 2 * longest + 2]
    sink.forget_rows([*row, *gap])
    assert [number for number in numbers if sink.find(number) is None] == row
    sink.forget_rows([*row, *gap])
    assert all(sink.find(number) for number in gap)


def test_an_original_is_kept_only_if_it_is_in_the_retransmission_and_a_receiver_can_use_it() -> None:
    _, source = fed(20, 5_000, 0.0)
    packet = bytearray(retransmission(build(VP8.payload_type, 19, 0, 10, b"picture"), 1, 11))
    sink = source.sink
    assert sink is not None
    sink.floor = None
    sink.sequence = (packet[0] << 8 | packet[1]) + 1
    assert source.keep_repeated(packet, len(packet), 0) is None, "only padding"
    assert sink.find(packet[0] << 8 | packet[1]) is None
    sink.sequence = 20
    kept = source.keep_repeated(packet, len(packet), 12)
    assert kept is not None
    assert kept.endswith(b"picture")
    assert sink.find(19) == kept
    assert source.keep_repeated(packet, len(packet), 12) is None, "it was sent before"
    source.sink = None
    assert source.keep_repeated(packet, len(packet), 12) is None
