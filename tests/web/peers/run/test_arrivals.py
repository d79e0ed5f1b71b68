"""Tests the arrival times and durations of synthetic people: their notation, and that the seed decides them."""

from itertools import pairwise
from random import Random

import pytest

from web.peers.errors import PlanError
from web.peers.run.arrivals import Arrivals, Span, recorded_day, seconds, visitors


def times(words: str, patients: int, seed: int = 1, recorded: str = "") -> list[float]:
    return Arrivals.parse(words, recorded).times(patients, Random(seed))


@pytest.mark.parametrize(
    ("words", "found"), [("250ms", 0.25), ("30s", 30), ("2min", 120), ("1h", 3600), ("5", 5), ("1.5 s", 1.5)]
)
def test_a_duration_is_a_number_with_a_unit(words: str, found: float) -> None:
    assert seconds(words) == found


def test_patients_who_come_steadily_are_as_far_apart_as_the_rate_says() -> None:
    assert times("steady:2/s", 4) == [0, 0.5, 1, 1.5]
    assert times("steady:30/min", 3) == [0, 2, 4]


def test_patients_who_come_by_chance_come_as_often_on_average() -> None:
    at = times("poisson:10/s", 5000)
    assert at == sorted(at)
    assert 480 < at[-1] < 520
    gaps = [later - sooner for sooner, later in pairwise(at)]
    # The arrivals are random, so a share of 1/e of the pauses is longer than the mean pause.
    assert 0.34 < sum(gap > 0.1 for gap in gaps) / len(gaps) < 0.40


def test_a_burst_comes_at_once_and_again_after_its_interval() -> None:
    assert times("burst:3/10s", 7) == [0, 0, 0, 10, 10, 10, 20]
    assert times("at-once", 3) == [0, 0, 0]


def test_stages_raise_hold_and_lower_the_rate_evenly() -> None:
    at = times("stages:10/s@10s,10/s@5s,0/s@10s", 1000)
    assert len(at) == 50 + 50 + 50
    assert at == sorted(at)
    assert [sum(low <= one < high for one in at) for low, high in ((0, 5), (10, 15), (20, 25))] == [
        12,
        50,
        13,
    ]
    # In the stage with a constant rate, ten patients arrive each second, at equal intervals.
    assert {round(later - sooner, 6) for sooner, later in pairwise([one for one in at if 10 < one < 15])} == {
        0.1
    }


def test_a_stage_of_no_time_changes_the_rate_at_once() -> None:
    assert times("stages:2/s@0s,2/s@2s", 9) == [0.25, 0.75, 1.25, 1.75]


def test_stages_have_an_end_and_other_arrivals_need_a_duration_or_a_number() -> None:
    assert Arrivals.parse("stages:10/s@10s,0/s@10s").patients(1) == 100
    assert Arrivals.parse("stages:10/s@10s,0/s@10s").patients(1, 10) == 50
    assert Arrivals.parse("steady:2/s").patients(1, 10) == 20
    with pytest.raises(PlanError, match="expected a number of patients or a duration"):
        Arrivals.parse("steady:2/s").patients(1)
    with pytest.raises(PlanError, match="at most 1,000,000 patients"):
        Arrivals.parse("at-once").patients(1, 10)


def test_the_patients_of_a_duration_are_those_of_the_plan_with_their_number() -> None:
    arrivals, none = Arrivals.parse("poisson:5/s"), Span()
    number = arrivals.patients(7, 20)
    planned = visitors(number + 1, arrivals, none, none, 7)
    assert planned[number - 1].arrives_s < 20 <= planned[number].arrives_s


def test_a_recorded_day_is_read_from_times_of_any_kind_and_from_the_csv_of_reports() -> None:
    assert recorded_day("# Monday\n09:00\n09:30:30\n\n09:05\n") == (0, 300, 1830)
    assert recorded_day("12.5\n10\n") == (0, 2.5)
    csv = "arrived,day,outcome\n2026-05-01T09:00:10-05:00,x,completed\n2026-05-01T09:00:00-05:00,x,expired\n"
    assert recorded_day(csv) == (0, 10)


def test_a_recorded_day_can_pass_faster_and_begins_again_when_it_is_over() -> None:
    assert times("day:monday.txt@60", 3, recorded="09:00\n10:00\n") == [0, 60, 61]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "steady",
        "steady:0/s",
        "steady:2",
        "burst:0/1s",
        "burst:3",
        "poisson:x/s",
        "day:",
        "rush:1/s",
        "stages:",
        "stages:5/s",
    ],
)
def test_text_that_is_no_plan_is_refused_with_what_was_expected(words: str) -> None:
    with pytest.raises(PlanError, match="expected steady:2/s, poisson:30/min"):
        Arrivals.parse(words)


@pytest.mark.parametrize("text", ["", "noon", "25:00", "name\nAna\n"])
def test_a_file_that_is_no_recorded_day_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="expected a recorded day"):
        recorded_day(text)


@pytest.mark.parametrize("words", ["fast", "5s..", "9s..2s", "~", "-1s"])
def test_a_text_that_is_no_span_is_refused(words: str) -> None:
    with pytest.raises(PlanError):
        Span.parse(words)


def test_people_take_as_long_as_their_span_says() -> None:
    random = Random(1)
    assert {Span.parse("30s").draw(random) for _ in range(5)} == {30}
    even = [Span.parse("5s..20s").draw(random) for _ in range(1000)]
    assert 5 <= min(even) < 6 < 19 < max(even) <= 20
    about = [Span.parse("~8s").draw(random) for _ in range(5000)]
    assert 7.5 < sum(about) / len(about) < 8.5
    assert max(about) <= 96


def test_the_same_seed_makes_the_same_people_and_another_seed_makes_others() -> None:
    how = (50, Arrivals.parse("poisson:2/s"), Span.parse("5s..20s"), Span.parse("~30s"))
    assert visitors(*how, 7) == visitors(*how, 7)
    assert visitors(*how, 7) != visitors(*how, 8)


def test_the_parts_of_a_plan_are_together_the_whole_and_share_nobody() -> None:
    how = (50, Arrivals.parse("poisson:2/s"), Span.parse("5s..20s"), Span.parse("~30s"), 7)
    parts = [visitors(*how, part=(part, 3)) for part in (1, 2, 3)]
    assert sorted((one for part in parts for one in part), key=lambda one: one.number) == visitors(*how)
    assert {len(part) for part in parts} == {16, 17}
