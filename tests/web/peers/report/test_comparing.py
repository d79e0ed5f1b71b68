"""Tests the comparison of two runs: it finds changes, reports no false changes, and reports if data are missing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.web.peers.runs import run
from web.peers.report import compare
from web.peers.report.compare_page import comparison_page, comparison_text, headline
from web.peers.report.comparing import BETTER, SAME, UNDECIDED, WORSE, Comparison, effective
from web.peers.run.observations import Observations, Series


def verdict(comparison: Comparison, name: str, what: str) -> str:
    """Return the verdict on one figure. `name`: what is measured, such as "claim"; `what`: such as "p50"."""
    (found,) = [change.verdict for change in comparison.changes if (change.name, change.what) == (name, what)]
    return found


def test_a_slower_claim_is_worse_and_the_rest_is_not() -> None:
    comparison = compare(run(1), run(2, slower=1.5))
    assert verdict(comparison, "claim", "p50") == verdict(comparison, "pulled_in", "p50") == WORSE
    assert {change.name for change in comparison.changes if change.verdict == WORSE} == {"claim", "pulled_in"}
    assert comparison.count(BETTER) == 0
    (change,) = [change for change in comparison.changes if (change.name, change.what) == ("claim", "p50")]
    assert change.low < 1.5 < change.high


def test_a_faster_claim_is_better() -> None:
    comparison = compare(run(2, slower=1.5), run(1))
    assert verdict(comparison, "claim", "p50") == BETTER
    assert comparison.count(WORSE) == 0


def test_the_same_run_twice_is_never_called_a_change() -> None:
    seen = run(1, patients=2000)
    comparison = compare(seen, seen)
    assert comparison.count(WORSE) == comparison.count(BETTER) == 0
    assert verdict(comparison, "claim", "p50") == SAME


def test_two_runs_of_the_same_kind_are_hardly_ever_called_a_change() -> None:
    changes = [
        change
        for seed in range(3)
        for change in compare(run(seed), run(seed + 100)).changes
        if change.verdict in (WORSE, BETTER)
    ]
    # With 63 figures and a certainty of 99 %, one or two false changes are possible.
    assert len(changes) <= 2, changes


def test_too_few_patients_for_a_99th_percentile_are_reported_with_the_number_needed() -> None:
    comparison = compare(run(1, patients=60), run(2, patients=60, slower=3))
    (change,) = [change for change in comparison.changes if (change.name, change.what) == ("claim", "p99")]
    assert change.verdict == UNDECIDED
    assert change.why.endswith("300 are needed")
    assert verdict(comparison, "claim", "p50") == WORSE


def test_values_that_follow_each_other_count_for_fewer() -> None:
    draw = random.Random(1)
    apart = Series(range(1000), [draw.random() for _ in range(1000)])
    # Each value is repeated ten times in a row, as if a slow moment of the server delayed ten requests.
    together = Series(range(1000), [draw.random() for _ in range(100) for _ in [0]] * 10)
    together.values = type(together.values)(
        "d", [value for value in together.values[:100] for _ in range(10)]
    )
    assert effective(apart) > 500
    assert 50 < effective(together) < 200


def test_more_errors_and_less_throughput_are_worse() -> None:
    before, after = run(1, lost=2), run(2, lost=90)
    comparison = compare(before, after)
    assert verdict(comparison, "errors", "of arrivals") == WORSE
    none = compare(run(1, patients=50, lost=0), run(2, patients=50, lost=0))
    assert verdict(none, "errors", "of arrivals") == SAME
    slow, usual = run(1), run(1)
    for seen in (slow, usual):
        seen.steps = {"journey": seen.steps["journey"]}
    slow.steps["journey"].at = type(slow.steps["journey"].at)(
        "d", [at * 2 for at in slow.steps["journey"].at]
    )
    assert verdict(compare(usual, slow), "throughput", "") == WORSE


def test_a_comparison_gives_the_same_result_each_time() -> None:
    names = "monday", "tuesday"
    first, second = (comparison_text(compare(run(1), run(2)), names) for _ in range(2))
    assert first == second


def test_differences_of_plan_machine_and_versions_are_listed() -> None:
    before, after = run(1), run(2)
    after.about.plan = {**after.about.plan, "patients": "800"}
    after.about.versions = {"Python": "3.13"}
    comparison = compare(before, after)
    assert comparison.differs == [("patients", "400", "800"), ("Python", "3.11", "3.13")]
    text = comparison_text(comparison, ("monday", "tuesday"))
    assert "not the same: patients: 400 → 800" in text


def test_the_text_lists_the_certain_changes_first() -> None:
    comparison = compare(run(1), run(2, slower=1.5))
    lines = comparison_text(comparison, ("monday", "tuesday")).splitlines()
    assert lines[0] == f"monday → tuesday: {headline(comparison)}"
    assert lines[2] == "worse:"
    assert lines[3].startswith("  Claim p50")


def test_steps_that_only_one_run_took_are_left_out() -> None:
    before, after = run(1), run(2)
    before.step("second_opinion", 1)
    assert {change.name for change in compare(before, after).changes}.isdisjoint({"second_opinion"})


def test_two_runs_that_saw_nothing_can_be_compared() -> None:
    comparison = compare(Observations(), Observations())
    page = comparison_page(comparison, Observations(), Observations(), ("a", "b"))
    assert "</html>" in page


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b"])
def test_names_are_escaped_in_the_page(name: str, tmp_path: Path) -> None:
    before, after = run(1, patients=50), run(2, patients=50)
    page = comparison_page(compare(before, after), before, after, (name, "b"))
    assert name not in page
