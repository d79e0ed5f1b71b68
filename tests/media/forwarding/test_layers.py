"""Tests temporal layers: which pictures a receiver gets, and that the packets it gets have numbers without a gap.

A number is left out only if its packet was lost before it came to the server.
"""

from __future__ import annotations

import random

import pytest

from media.forwarding.layers import SHARES_WHOLE, SPANS_MAX, Layers, LayerShares, Span, choose_level

# Chromium sends three layers in this order of eight pictures: (the layer of the picture, whether it needs only layer
# 0).
PATTERN = [(0, False), (2, True), (1, True), (2, False), (0, False), (2, False), (1, False), (2, False)]


def take(layers: Layers, number: int) -> Span | None:
    """Give picture `number` to `layers`, as one packet; return the numbers that are added to the packet's own
    (`Span`).

    Return None if the picture is not sent to the receiver.
    """
    return layers.take(number & 0xFFFF, 3000 * number, *PATTERN[number % 8])


def taken(layers: Layers, numbers: range) -> list[tuple[int, int]]:
    """Give these pictures to the layers; return (picture, its number for the receiver) for each one that is sent."""
    return [(n, n + span.sequence_shift) for n in numbers if (span := take(layers, n)) is not None]


def test_a_receiver_gets_the_lowest_layers_in_numbers_without_gaps() -> None:
    layers = Layers()
    layers.target = 1
    layers.restart(0, 0)
    assert [n for n, _ in taken(layers, range(8))] == [0, 2, 4, 6]
    layers.target = 0
    sent = taken(layers, range(8, 17))
    assert [n for n, _ in sent] == [8, 12, 16]
    assert [(shown - 4) & 0xFFFF for _, shown in ((n, s & 0xFFFF) for n, s in sent)] == [0, 1, 2]
    assert layers.level == 0


def test_a_layer_is_added_one_at_a_time_at_a_picture_that_needs_only_layer_0() -> None:
    layers = Layers()
    layers.target = 0
    layers.restart(0, 0)
    assert [n for n, _ in taken(layers, range(8))] == [0, 4]
    layers.target = 2
    assert [n for n, _ in taken(layers, range(8, 24))] == [8, 10, 12, 14, 16, 17, 18, 19, 20, 21, 22, 23]


def test_a_picture_of_several_packets_is_sent_whole_or_not_at_all() -> None:
    layers = Layers()
    layers.restart(0, 0)
    assert layers.take(0, 0, 2, False) is not None
    layers.target = 0
    assert layers.take(1, 0, 2, False) is not None, "it was begun"
    assert layers.take(2, 3000, 2, True) is None
    layers.target = 2
    assert layers.take(3, 3000, 2, True) is None, "it was left out"


def test_picture_numbers_fall_by_one_a_picture_and_sequence_numbers_by_one_a_packet() -> None:
    layers = Layers()
    layers.target = 0
    layers.restart(10, 5)
    assert layers.take(10, 0, 0, False) == Span(10, 5, 0, 0)
    for number in (11, 12, 13):
        assert layers.take(number, 3000, 1, False) is None
    assert layers.take(14, 6000, 0, False) == Span(14, 2, -1, 0)


def test_a_packet_that_was_left_out_and_comes_again_takes_no_number() -> None:
    layers = Layers()
    layers.target = 0
    layers.restart(10, 5)
    layers.take(10, 0, 0, False)
    assert layers.take(11, 3000, 1, False) is None
    assert layers.take(11, 3000, 1, False) is None
    assert layers.take(12, 6000, 0, False) == Span(12, 4, -1, 0)
    assert layers.take(11, 3000, 1, False) is None
    assert layers.take(10, 0, 0, False) == Span(10, 5, 0, 0)


def test_all_layers_are_sent_until_a_lower_one_is_chosen() -> None:
    assert Layers().level == Layers().target == len(SHARES_WHOLE) - 1


def test_a_late_packet_has_the_numbers_of_its_time() -> None:
    layers = Layers()
    layers.target = 0
    layers.restart(0, 0)
    layers.take(0, 0, 0, False)
    # Picture 1 is lost on the way to the server, so it never comes.
    layers.take(2, 6000, 1, False)
    layers.take(3, 9000, 0, False)
    assert layers.take(1, 3000, 0, False) == Span(0, 0, 0, 0)
    late = layers.take(1, 3000, 2, False)
    assert late is not None
    assert late.level == 0, "its number is missing at the receiver, its picture is not"
    assert [layers.own_number(shown) for shown in (0, 1, 2)] == [0, 1, 3]


@pytest.mark.parametrize("left_out", [1, SPANS_MAX + 10])
def test_a_late_packet_whose_number_is_no_longer_known_is_not_sent(left_out: int) -> None:
    layers = Layers()
    layers.target = 0
    layers.restart(10, 7)
    for number in range(10, 10 + 2 * left_out):
        assert (layers.take(number, 3000 * number, 1 - number % 2, False) is None) is (number % 2 == 0)
    assert layers.take(10, 30_000, 1, False) is None


@pytest.mark.parametrize("seed", range(3))
def test_any_choice_of_layers_leaves_numbers_that_grow_by_one_and_lead_back(seed: int) -> None:
    chance = random.Random(seed)
    layers, shown = Layers(), 65_000 + 7
    layers.restart(65_000, 7)
    for number in range(65_000, 65_000 + 40_000):
        if chance.random() < 0.05:
            layers.target = chance.randrange(3)
        span = take(layers, number)
        if span is not None:
            assert (number + span.sequence_shift) & 0xFFFF == shown & 0xFFFF
            assert layers.own_number(shown & 0xFFFF) == number & 0xFFFF
            assert take(layers, number) == span, "the same again, as a late packet"
            shown += 1
    assert len(layers._spans) <= SPANS_MAX


@pytest.mark.parametrize("seed", range(3))
def test_no_number_is_given_twice_whatever_is_lost_late_and_left_out(seed: int) -> None:
    chance = random.Random(seed)
    layers, number = Layers(), 0
    used: dict[int, tuple[int, int, int, bool]] = {}
    late: list[tuple[int, int, int, bool]] = []
    layers.restart(0, 0)

    def send(packet: tuple[int, int, int, bool]) -> None:
        span = layers.take(packet[0] & 0xFFFF, *packet[1:])
        if span is not None:
            shown = (packet[0] + span.sequence_shift) & 0xFFFF
            assert used.setdefault(shown, packet) == packet
            used.pop((shown - 5000) & 0xFFFF, None)  # forget old numbers, because numbers repeat after 0xFFFF

    for picture in range(12_000):
        layer, syncs = PATTERN[picture % 8]
        if chance.random() < 0.05:
            layers.target = chance.randrange(3)
        for _ in range(chance.randint(1, 3)):
            packet = number, 3000 * picture, layer, syncs
            number += 1
            if chance.random() < 0.1:
                late.append(packet)
            else:
                send(packet)
        while late and chance.random() < 0.3:
            send(late.pop(chance.randrange(len(late))))


def test_a_layer_that_goes_on_for_long_keeps_its_numbers() -> None:
    layers = Layers()
    layers.restart(0, 3)
    for number in range(100_000):
        assert layers.take(number & 0xFFFF, number, 0, False) is not None
        if number:
            assert layers.take((number - 1) & 0xFFFF, number, 0, False) is not None, "late"
    late = layers.take((99_990) & 0xFFFF, 1, 0, False)
    assert late is not None
    assert late.sequence_shift == 3
    assert layers.own_number((99_990 + 3) & 0xFFFF) == 99_990 & 0xFFFF


def test_numbers_of_long_ago_are_forgotten_before_they_come_again() -> None:
    layers = Layers()
    layers.target = 0
    layers.restart(0, 0)
    for number in range(60_000):
        layers.take(number, number, int(number == 1), False)
    late = layers.take(59_990, 1, 0, False)
    assert late is not None
    assert late.sequence_shift == 0xFFFF, "one less, because packet 1 was left out"


def test_shares_are_measured_once_a_second() -> None:
    shares = LayerShares()
    shares.sample(1.0)
    assert shares.shares == SHARES_WHOLE, "nothing was sent"
    for second in range(2, 30):
        for layer, octets in enumerate((400, 200, 400, 0)):
            shares.octets[layer] += octets
        shares.sample(second)
        shares.sample(second + 0.9)
    assert shares.shares == pytest.approx((0.4, 0.6, 1.0, 1.0))


@pytest.mark.parametrize(
    ("estimate_kbps", "level", "chosen"),
    [
        (2000, 0, 3),
        (1000, 0, 3),
        (900, 0, 1),  # all layers together need 1000 kbit/s, which is more than the estimate
        # Layer 2 is sent already, so the layers 0 to 2 may need a little more than the estimate.
        (900, 2, 2),
        # The layers 0 to 2 need 1000 kbit/s, which is 1.25 times the estimate and still allowed.
        (800, 2, 2),
        (799, 2, 1),
        (599, 0, 0),
        (100, 2, 0),
    ],
)
def test_the_highest_layer_is_chosen_that_fits_the_estimate(
    estimate_kbps: float, level: int, chosen: int
) -> None:
    assert choose_level(1000.0, (0.4, 0.6, 1.0, 1.0), estimate_kbps, level) == chosen
