"""Tests how the quality of a call is counted: which values are used, how they are rounded, and how workers' counts are
added.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from signalling.visit.call_quality import (
    HEARD_LOST,
    PICTURE,
    ROUND_TRIP,
    SENT_LOST,
    MediaKind,
    Tally,
    average,
    merged,
    percentile,
    two_digits,
)


class Measured(NamedTuple):
    """A measurement of one kind of media in one direction."""

    kbps: float = 0.0
    loss: float | None = None


class Quality(NamedTuple):
    """One measurement of a party's connection."""

    rtt_ms: float | None = None
    sent: dict[MediaKind, Measured] = {}  # noqa: RUF012
    received: dict[MediaKind, Measured] = {}  # noqa: RUF012


def test_a_measurement_counts_the_worse_loss_the_round_trip_and_the_picture() -> None:
    tally = Tally(party="patient", name="Ana")
    tally.take(
        Quality(
            rtt_ms=87.4,
            sent={"audio": Measured(loss=0.004), "video": Measured(loss=0.002)},
            received={"audio": Measured(loss=0.001), "video": Measured(1234, 0.0255)},
        )
    )
    assert tally.seen == {HEARD_LOST: {26: 1}, SENT_LOST: {4: 1}, ROUND_TRIP: {87: 1}, PICTURE: {1200: 1}}
    tally.take(Quality(rtt_ms=86.6, received={"video": Measured(1.0)}))
    assert tally.seen[ROUND_TRIP] == {87: 2}
    assert tally.seen[PICTURE] == {1200: 1, 1: 1}
    assert (tally.seen[HEARD_LOST], tally.seen[SENT_LOST]) == ({26: 1}, {4: 1})


def test_values_that_were_not_measured_are_not_counted() -> None:
    tally = Tally(party="patient", name="Ana")
    tally.take(
        Quality(received={"audio": Measured(40), "video": Measured(0.9)}, sent={"audio": Measured(40)})
    )
    assert tally.seen == {}, "a camera that is off is no bad video"


def test_the_names_of_the_figures_are_stored_and_stay() -> None:
    assert (HEARD_LOST, SENT_LOST, ROUND_TRIP, PICTURE) == (
        "heard_lost",
        "sent_lost",
        "round_trip",
        "picture",
    )


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(-3, 0), (0.4, 0), (7, 7), (42, 42), (99.4, 99), (100, 100), (134, 130), (1151, 1200), (99_499, 99_000)],
)
def test_values_have_two_digits(value: float, rounded: int) -> None:
    assert two_digits(value) == rounded


def test_an_average_and_a_percentile_are_of_all_that_was_seen() -> None:
    seen = {10: 1, 20: 2, 40: 1}
    assert average(seen) == 22.5
    assert average({}) == 0
    assert average({5: 1}) == 5
    assert [percentile(seen, percent) for percent in (1, 25, 26, 50, 75, 76, 100)] == [
        10,
        10,
        20,
        20,
        20,
        40,
        40,
    ]
    assert percentile({}, 50) == 0


def test_the_counts_of_several_workers_are_added_by_party_longest_first() -> None:
    def tally(party: str, name: str, connected_ms: float, seen: dict[str, dict[int, int]]) -> Tally:
        return Tally(party=party, name=name, connected_ms=connected_ms, interruptions=1, seen=seen)

    found = merged(
        [
            tally("patient", "Ana", 5_000, {ROUND_TRIP: {10: 1}}),
            tally("provider", "Osei", 30_000, {}),
            tally("patient", "Ana", 4_000, {ROUND_TRIP: {10: 2, 20: 1}, PICTURE: {500: 3}}),
            tally("guest-1", "Rosa", 0.9, {}),
            tally("guest-2", "Rui", 1, {}),
            tally("a guest", "Kim", 9_400, {}),
        ]
    )
    assert [(t.party, t.connected_ms, t.interruptions) for t in found] == [
        ("provider", 30_000, 1),
        ("a guest", 9_400, 1),
        ("patient", 9_000, 2),
        ("guest-2", 1, 1),
    ]
    assert found[2].seen == {ROUND_TRIP: {10: 3, 20: 1}, PICTURE: {500: 3}}
    assert found[2].name == "Ana"
