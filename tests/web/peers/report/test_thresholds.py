"""Tests thresholds that are given on the command line, and the errors for invalid thresholds."""

from __future__ import annotations

import re

import pytest

from tests.web.peers.runs import Clock, run
from web.peers.errors import ThresholdError
from web.peers.report import judge, parse
from web.peers.report.thresholds import broken_already
from web.peers.run.observations import Observations


def small() -> Observations:
    """Return the observations of ten visits, one per second, claimed after 1 to 10 ms, and of two errors."""
    clock = Clock()
    seen = Observations(clock=clock)
    for number in range(1, 11):
        clock.now += 1
        seen.step("arrive", 0.01)
        seen.step("claim", number / 1000)
        seen.step("journey", 5)
        seen.gauge("server_rss", number * 1e6)
        seen.gauge("server_cpu", 0.5)
        seen.gauge("driver_lag", 0.02)
    seen.error("too_late", "claim")
    seen.error("4201", "closed")
    seen.count("freezes", 3)
    seen.count("hiccups", 1)
    return seen


@pytest.mark.parametrize(
    "expression",
    [
        "claim.p50>=5ms",
        "claim.p99>9.9ms",
        "claim.p99 > 9900us",
        "claim.max>9ms",
        "claim.min<=1ms",
        "claim.mean>5ms",
        "claim.mean>0.005s",
        "claim.p99.9>=10ms",
        "claim.count<11",
        "errors>0",
        "errors>=20%",
        "errors.too_late>0",
        "throughput<1.01/s",
        "throughput<61/min",
        "server_rss.max>9MB",
        "server_rss.mean<6MB",
        "server_cpu.mean>=50%",
        "driver_lag.max>10ms",
        "freezes>2",
        "hiccups>0",
    ],
)
def test_a_broken_threshold_says_what_it_was(expression: str) -> None:
    (said,) = judge(small(), [expression])
    assert re.fullmatch(r"\S+: it was [\d.]+ ?\S*", said)


@pytest.mark.parametrize(
    "expression",
    [
        "claim.p50>5ms",
        "claim.p99>10ms",
        "claim.count<10",
        "errors>2",
        "errors>20%",
        "errors.nothing_of_that>0",
        "throughput<1/s",
        "server_cpu.last>50%",
        "freezes>3",
        "reloads>0",
        "closed_4201>0",
    ],
)
def test_a_threshold_that_holds_says_nothing(expression: str) -> None:
    assert judge(small(), [expression]) == []


def test_a_step_that_was_never_taken_breaks_its_threshold() -> None:
    assert judge(small(), ["first_frame.p50>60ms"]) == ["first_frame.p50>60ms: no first_frame was seen"]
    assert judge(Observations(), ["server_cpu.max>90%"]) == ["server_cpu.max>90%: no server_cpu was seen"]


def test_several_thresholds_are_each_judged() -> None:
    assert len(judge(run(lost=3), ["errors>0", "throughput<1000/s", "claim.p50>1s"])) == 2


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "expected something like"),
        ("pulled_in.p99", "expected something like"),
        ("pulled_in.p99=5ms", "expected something like"),
        ("pulled_in.p99>-5ms", "expected something like"),
        ("puled_in.p99>5ms", "there is no 'puled_in'; steps: arrive, queue_seen, waited, claim, pulled_in"),
        ("pulled_in>5ms", "expected pulled_in. with one of min, mean, p50"),
        ("pulled_in.p101>5ms", "expected pulled_in. with one of"),
        ("pulled_in.p99>5", r"expected a unit \(us, µs, ms, s, min\); found none"),
        ("pulled_in.p99>5parsecs", "found 'parsecs'"),
        ("errors>5ms", "expected a unit"),
        ("throughput<90", r"expected a unit \(/s, /min\)"),
        ("throughput.p99<90/s", "there is no 'throughput'"),
        ("server_cpu.p99>50%", "expected server_cpu. with one of mean, max, last"),
        ("server_rss.max>500", "expected a unit"),
        ("freezs>0", "counts: asked_to_wait, claims_lost, cut, freezes, frozen, killed, reloads, vanished"),
    ],
)
def test_an_invalid_expression_is_refused_with_what_is_expected(expression: str, says: str) -> None:
    with pytest.raises(ThresholdError, match=says):
        parse(expression)


def test_a_scenarios_own_steps_and_counts_can_be_judged_once_they_were_seen() -> None:
    seen = small()
    seen.step("second_opinion", 0.2)
    assert judge(seen, ["second_opinion.p50>100ms"])
    with pytest.raises(ThresholdError, match="second_opinion"):
        parse("second_opinion.p50>100ms")
    assert parse("second_opinion.p50>100ms", ["second_opinion"]).limit == 0.1


def test_while_a_run_goes_on_a_step_that_was_not_seen_yet_breaks_nothing() -> None:
    seen = small()
    assert broken_already(seen, ["first_frame.p99>1s", "errors>9"]) == ""
    assert broken_already(seen, ["first_frame.p99>1s", "errors>1"]) == "errors>1: it was 2"
