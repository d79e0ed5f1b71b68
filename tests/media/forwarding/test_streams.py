"""How a stream's numbers continue, without a packet in sight."""

from hypothesis import given
from hypothesis import strategies as st

from media.forwarding.endpoint import Leg
from media.forwarding.streams import Flow, Source, sequence_older

SSRCS = {"audio": 1, "video": 2, "rtx": 3}
sequences, timestamps = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def fed(sequence: int, timestamp: int, at_s: float) -> tuple[Leg, Source]:
    """A leg whose video sink one source has fed one packet."""
    leg = Leg(SSRCS)  # type: ignore[arg-type]
    source = Source("video", 10)
    source.sink = leg.sinks["video"]
    source.settle(sequence, timestamp, at_s)
    sent(source, sequence, timestamp, at_s)
    return leg, source


def sent(source: Source, sequence: int, timestamp: int, at_s: float) -> tuple[int, int]:
    """What the hot path does with a packet's numbers."""
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
    leg, _ = fed(sequence, timestamp, 100.0)
    successor = Source("video", 11)
    successor.sink = leg.sinks["video"]
    successor.settle(new_sequence, new_timestamp, 100.0 + passed_s)
    out = sent(successor, new_sequence, new_timestamp, 100.0 + passed_s)
    assert out[0] == (sequence + 1) & 0xFFFF
    assert abs(((out[1] - timestamp) & 0xFFFFFFFF) - passed_s * 90_000) <= 1.01


@given(sequences, timestamps)
def test_the_first_source_of_a_sink_keeps_its_own_numbers(sequence: int, timestamp: int) -> None:
    _, source = fed(sequence, timestamp, 0.0)
    assert (source.sequence_shift, source.timestamp_shift) == (0, 0)


@given(sequences, st.integers(1, 5000))
def test_a_pause_leaves_no_hole_in_the_sequence_and_no_lie_in_the_time(sequence: int, skipped: int) -> None:
    _, source = fed(sequence, 1_000, 0.0)
    source.unsettle()
    later = (sequence + skipped) & 0xFFFF
    source.settle(later, 1_000 + skipped * 3000, skipped / 30)
    out = sent(source, later, 1_000 + skipped * 3000, skipped / 30)
    assert out == ((sequence + 1) & 0xFFFF, 1_000 + skipped * 3000)


def test_what_was_sent_before_a_source_settled_is_known_across_the_roll_over() -> None:
    _, source = fed(65_530, 0, 0.0)
    source.first_forwarded = source.packets = 100
    for number in range(1, 11):
        source.packets += 1
        sent(source, (65_530 + number) & 0xFFFF, 0, 0.0)
    assert source.predates_settling(65_529)
    assert not source.predates_settling(65_531)
    assert not source.predates_settling(2)


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
def test_older_is_the_shorter_way_round(number: int, ahead: int) -> None:
    assert sequence_older(number, number + ahead, 0xFFFF)
    assert not sequence_older(number + ahead, number, 0xFFFF)
