"""Tests the server's transport-cc feedback. The tests read it as a sender must by the specification."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocols import rtcp
from media.protocols.transport_cc import (
    LOSS_SHOWN,
    OUTAGE,
    Arrivals,
    Losses,
    build_feedback,
    is_whole,
    read_feedback,
    split_at_gaps,
)
from media.transport.srtp import PACKET_MAX


def read(packet: bytes) -> tuple[int, dict[int, int]]:
    """Return (feedback count, sequence number -> arrival time in units of 250 µs) of a feedback packet."""
    base, statuses = struct.unpack_from("!HH", packet, 12)
    clock, count = int.from_bytes(packet[16:19], "big") * 256, packet[19]
    symbols: list[int] = []
    at = 20
    while len(symbols) < statuses:
        (chunk,) = struct.unpack_from("!H", packet, at)
        at += 2
        if chunk >> 15 == 0:
            symbols += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk >> 14 & 1:
            symbols += [chunk >> (12 - 2 * place) & 3 for place in range(7)]
        else:
            symbols += [chunk >> (13 - place) & 1 for place in range(14)]
    arrived = {}
    for place, symbol in enumerate(symbols[:statuses]):
        if symbol == 1:
            delta, at = packet[at], at + 1
        elif symbol == 2:
            (delta,), at = struct.unpack_from("!h", packet, at), at + 2
        else:
            continue
        clock += delta
        arrived[(base + place) & 0xFFFF] = clock
    assert len(packet) - at < 4
    return count, arrived


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 100_000)), min_size=1, max_size=150),
    st.integers(0, 1 << 30),
)
def test_every_arrival_is_in_the_feedback_with_its_time(
    first: int, steps: list[tuple[int, int]], began_us: int
) -> None:
    sequence, at_us, seen = first, began_us, []
    for skip, wait_us in steps:
        sequence, at_us = sequence + skip, at_us + wait_us
        seen.append((sequence & 0xFFFF, at_us))
    _, arrived = read(build_feedback(seen, 3, 1, 2))
    kept = [(number, at) for number, at in seen if number in arrived]
    assert kept[0] == seen[0]
    assert len(kept) == len([number for number, _ in seen if (number - seen[0][0]) & 0xFFFF < 2000])
    reference = began_us // 64_000 * 256
    for number, at in kept:
        assert abs(arrived[number] - at / 250) <= 1 or reference > 0xFFFFFF * 256


def test_feedback_lists_reordered_packets_in_order() -> None:
    _, arrived = read(build_feedback([(10, 1_000), (8, 2_000), (9, 3_000)], 0, 1, 2))
    assert list(arrived) == [8, 9, 10]
    assert [arrived[number] for number in (10, 8, 9)] == [4, 8, 12]


def test_feedback_is_counted_and_empties_the_list() -> None:
    arrivals = Arrivals()
    assert arrivals.feedback(1, 2) is None
    counts = []
    for number in range(3):
        arrivals.add(number, number)
        packet = arrivals.feedback(1, 2)
        assert packet is not None
        counts.append(read(packet)[0])
    assert counts == [0, 1, 2]


def test_a_flood_of_arrivals_stays_bounded() -> None:
    arrivals = Arrivals()
    for number in range(100_000):
        arrivals.add(number & 0xFFFF, number)
    assert len(arrivals) == 400


@pytest.mark.parametrize(
    ("seen", "count", "packet"),
    [
        # The packet has a reference time in units of 64 ms. Then comes the status of each packet: two vectors with
        # seven packets each, and one run-length chunk with all other packets. Then come time differences in units of
        # 250 µs; the last time difference is negative.
        (
            [(0xFFFE, 64_000_000), (0, 64_010_000), (11, 64_010_250), (12, 64_500_000), (13, 64_499_750)],
            7,
            "8fcd0008 01020304 05060708 fffe0010 0003e807 d100c001 40020028 0107a7ff ff000000",
        ),
        # The largest time difference that fits into one byte, and the smallest that needs two.
        (
            [(0, 0), (1, 0), (7, 63_750), (8, 127_750), (9, 191_875)],
            255,
            "8fcd0007 01020304 05060708 0000000a 000000ff d400da00 0000ff01 00010000",
        ),
        # Seven packets with the same status are written as one run-length chunk, six packets are written as a vector.
        (
            [(n, 0) for n in range(9) if n != 7],
            0,
            "8fcd0007 01020304 05060708 00000009 00000000 2007c400" + "0" * 16,
        ),
        (
            [(n, 0) for n in range(8) if n != 6],
            0,
            "8fcd0007 01020304 05060708 00000008 00000000 d5542001" + "0" * 16,
        ),
        # The arrivals are too far apart for a time difference of two bytes, both forward and backward in time.
        (
            [(0, 10_000_000), (1, 0), (2, 20_000_000)],
            1,
            "8fcd0006 01020304 05060708 00000003 00009c01 da004080 007fff00",
        ),
    ],
)
def test_feedback_is_these_bytes(seen: list[tuple[int, int]], count: int, packet: str) -> None:
    assert build_feedback(seen, count, 0x01020304, 0x05060708).hex() == packet.replace(" ", "")


def test_feedback_spans_two_thousand_numbers_and_half_of_them_before_the_first() -> None:
    _, arrived = read(build_feedback([(0, 0), (1999, 0), (2000, 0)], 0, 1, 2))
    assert list(arrived) == [0, 1999]
    _, arrived = read(build_feedback([(5000, 0), (4000, 0), (3999, 0)], 0, 1, 2))
    assert list(arrived) == [4000, 5000]
    _, arrived = read(build_feedback([(0, 0), (0, 250), (1, 500)], 0, 1, 2))
    assert arrived == {0: 0, 1: 2}, "the first arrival of a number counts"


def test_the_count_of_feedbacks_begins_again_after_255() -> None:
    arrivals = Arrivals()
    counts = []
    for number in range(258):
        arrivals.add(number, 0)
        packet = arrivals.feedback(1, 2)
        assert packet is not None
        counts.append(packet[19])
    assert counts[254:] == [254, 255, 0, 1]


# --- reading of feedback, and when the server's feedback reports lost packets


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 100_000)), min_size=1, max_size=100),
)
def test_feedback_is_read_as_it_was_built(first: int, steps: list[tuple[int, int]]) -> None:
    sequence, at_us, seen = first, 64_000, []
    for skip, wait_us in steps:
        sequence, at_us = sequence + skip, at_us + wait_us
        seen.append((sequence & 0xFFFF, at_us))
    packet = build_feedback(seen, 0, 1, 2)
    found, lost = read_feedback(packet)
    _, arrived = read(packet)
    assert [(number, at // 250) for number, at in found] == list(arrived.items())
    assert lost == sum(skip - 1 for skip, _ in steps[1:])
    assert not is_whole(packet) or not lost


def feedback(statuses: int, rest: str) -> bytes:
    """Return a feedback packet about `statuses` packets, of which the first has the number 9. `rest`: the bytes after
    its header, as hex.
    """
    return bytes(12) + struct.pack("!HH", 9, statuses) + bytes(4) + bytes.fromhex(rest)


@pytest.mark.parametrize(
    ("statuses", "rest", "read"),
    [
        (2, "2002 04 08", ([(9, 1_000), (10, 3_000)], 0)),
        # A vector with the status of each of fourteen packets.
        (3, "a800 04 08", ([(9, 1_000), (11, 3_000)], 1)),
        # a vector with the status of each of seven packets; the last packet received has a time difference of two
        # bytes
        (3, "d200 04 fffc", ([(9, 1_000), (11, 0)], 1)),
        (
            14,
            "a001 04 08",
            ([(9, 1_000), (22, 3_000)], 12),
        ),  # The first and the last of fourteen packets arrived.
        (9000, "1fff 0329 ", ([], 9000)),
        (2, "2002 04", ([], 0)),
        (2, "4001 04", ([], 0)),
        (2, "6002 0404", ([], 0)),  # The symbol 3 is reserved, so this packet is refused.
        (2, "2000 0404", ([], 0)),
        (2, "0000 0404", ([], 0)),
        (2, "20", ([], 0)),
        (8191, "3fff 0404", ([], 0)),
    ],
)
def test_feedback_that_is_malformed_names_nothing(
    statuses: int, rest: str, read: tuple[list[tuple[int, int]], int]
) -> None:
    assert read_feedback(feedback(statuses, rest)) == read


@pytest.mark.parametrize(
    ("statuses", "rest", "whole"),
    [(2, "2002 0404", True), (2, "4003", True), (3, "2002", False), (2, "0002", False), (2, "6002", False),
     (2, "a000", False), (2, "", False), (2, "20", False), (258, "2102", True), (258, "2101", False)],
)  # fmt: skip
def test_feedback_in_one_run_of_arrivals_is_recognised_as_free_of_losses(
    statuses: int, rest: str, whole: bool
) -> None:
    assert is_whole(feedback(statuses, rest)) is whole


def test_arrivals_are_split_where_a_number_is_missing() -> None:
    seen = [(1, 50), (65_534, 10), (0, 40), (65_533, 20), (0, 41), (4, 60)]
    assert split_at_gaps(seen) == [[(65_533, 20), (65_534, 10)], [(0, 40), (0, 41), (1, 50)], [(4, 60)]]


def counted(arrivals: Arrivals, seen: list[tuple[int, int]]) -> list[int]:
    """Return how many packets each piece of feedback covers. `seen`: the (sequence number, arrival) of packets."""
    return [
        struct.unpack_from("!H", piece, 14)[0] for _, _, piece in rtcp.split(arrivals.describe(seen, 1, 2))
    ]


def test_the_server_reports_arrivals_and_no_loss_to_a_sender() -> None:
    assert counted(Arrivals(), [(number, number) for number in (1, 2, 5, 6, 7, 9)]) == [2, 3, 1]


def test_losses_are_shown_while_more_than_a_third_of_the_packets_is_lost() -> None:
    arrivals = Arrivals()
    for _ in range(50):
        assert len(counted(arrivals, [(number, number) for number in range(20) if number % 5])) == 4
    assert 0.1 < arrivals.losses.share < LOSS_SHOWN
    for _ in range(20):
        found = counted(arrivals, [(number, number) for number in range(0, 20, 2)])
    assert (found, arrivals.losses.shown) == ([19], True)
    arrivals.losses.observe(200, 0)
    assert not arrivals.losses.shown


def test_each_lost_packet_weighs_a_hundredth_of_all_before_it() -> None:
    losses = Losses()
    losses.observe(0, 0)
    assert losses.share == 0.0
    losses.observe(0, 1)
    assert losses.share == pytest.approx(0.01)
    losses.observe(1, 0)
    assert losses.share == pytest.approx(0.0099)
    losses.observe(1, 1)
    assert losses.share == pytest.approx(0.0099 * 0.99**2 + (1 - 0.99**2) / 2)


def test_packets_without_a_gap_are_no_loss_and_each_piece_of_feedback_is_counted() -> None:
    arrivals = Arrivals()
    assert counted(arrivals, [(0xFFFF, 0), (0, 1), (1, 2)]) == [3]
    assert arrivals.losses.share == 0.0
    pieces = rtcp.split(arrivals.describe([(number, 0) for number in (2, 4, 6)], 1, 2))
    assert [read(piece)[0] for _, _, piece in pieces] == [1, 2, 3]
    assert read(arrivals.describe([(7, 0)], 1, 2))[0] == 4


def test_an_outage_is_not_counted_as_loss() -> None:
    arrivals = Arrivals()
    assert counted(arrivals, [(1, 1), (2, 2), (5_000, 3)]) == [2, 1]
    assert arrivals.losses.share == 0.0
    arrivals.losses.observe(10, OUTAGE)
    assert arrivals.losses.share == 0.0
    arrivals.losses.observe(10, OUTAGE - 1)
    assert arrivals.losses.shown
    assert OUTAGE == 100


def test_feedback_in_more_pieces_than_fit_is_given_as_one() -> None:
    assert len(counted(Arrivals(), [(number, 0) for number in range(0, 80, 2)])) == 40
    assert counted(Arrivals(), [(number, 0) for number in range(0, 82, 2)]) == [81]
    assert (
        len(Arrivals().describe([(number, number * 100_000) for number in range(0, 80, 2)], 1, 2))
        <= PACKET_MAX
    )
