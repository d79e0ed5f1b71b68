"""The benchmark itself: that it measures, on the real server, and reads what it measured. Not how fast we are."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT
from web.bench.browser import PROPERTIES, read
from web.bench.claim import PROVIDERS, Round, judge
from web.bench.figures import Figure, medians, percentile

BENCH = [sys.executable, "-c", "from web.cli import main; main()", "bench"]


@pytest.mark.timeout(240)
def test_a_quick_benchmark_measures_the_real_server_and_every_race_has_one_winner(tmp_path: Path) -> None:
    said = tmp_path / "figures.json"
    files = ["--json", str(said), "--markdown", str(tmp_path / "figures.md")]
    only = ["--only", "claim", "--only", "fanout", "--only", "idle", "--only", "assign"]
    ended = subprocess.run(
        [*BENCH, "--quick", *only, *files], cwd=ROOT, capture_output=True, text=True, timeout=220, check=False
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads(said.read_text())
    assert report["skipped"] == []
    figures = {figure["id"]: figure["value"] for figure in report["figures"]}
    assert figures["claim_wrong"] == 0
    assert figures["claim_unseen"] == 0
    for name in ("claim_p50_ms", "claim_p99_ms", "assign_p99_ms", "idle_kb", "fanout_us", "fanout_burst_us"):
        assert 0 < figures[name] < 10_000, name
    assert "| fan-out at 5 events/s" in (tmp_path / "figures.md").read_text()


def test_an_unknown_measurement_is_refused_with_the_names_of_those_there_are() -> None:
    ended = subprocess.run(
        [*BENCH, "--only", "speed"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert "claim, idle, fanout, relay" in ended.stderr


def test_a_race_counts_only_where_the_other_workers_page_knew_it() -> None:
    races = [
        Round(1, PROVIDERS - 1, version=7, worker="a", sent_ns=1_000_000),
        Round(1, PROVIDERS - 1, version=9, worker="b", sent_ns=5_000_000),
        Round(2, PROVIDERS - 2, version=11, worker="b", sent_ns=9_000_000),
    ]
    seen = {7: {"a": 1_500_000, "b": 3_000_000}, 9: {"a": 6_000_000, "b": 9_000_000}, 11: {"b": 9_500_000}}
    figures = {figure.id: figure.value for figure in judge(races, seen)}
    assert figures["claim_p99_ms"] == 2.0
    assert figures["claim_p50_ms"] == 1.0
    assert figures["claim_wrong"] == 1
    assert figures["claim_unseen"] == 1


def test_a_target_is_missed_above_it_and_where_nothing_was_measured() -> None:
    assert not Figure("x", "x", 5.0, "ms", 5.0).missed
    assert Figure("x", "x", 5.1, "ms", 5.0).missed
    assert Figure("x", "x", math.nan, "ms", 5.0).missed
    assert not Figure("x", "x", 99.0, "ms").missed


def test_several_runs_show_their_median_and_add_up_their_faults() -> None:
    runs = [[Figure("t", "t", value, "ms", 5.0), Figure("f", "f", faults, "", 0)] for value, faults in
            ((3.0, 0), (9.0, 1), (4.0, 0))]  # fmt: skip
    slow, faults = medians(runs)
    assert slow.value == 4.0
    assert slow.note == "3 to 9"
    assert faults.missed


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (95, 4), (99, 4), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == value


def test_what_the_browser_tests_say_is_read_as_the_worse_screen_and_the_usual_gap(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite><testcase name="a"><properties>
        <property name="second_press_to_first_frame_ms" value='{"first": 41.5, "second": 52.0}'/>
        <property name="something_else" value="not json"/></properties></testcase>
        <testcase name="b"><properties><property name="reload_gap_ms" value="[210, 180, 350]"/></properties>
        </testcase></testsuite></testsuites>""",
        "utf-8",
    )
    assert {figure.id: figure.value for figure in read(report)} == {
        "second_press_to_first_frame_ms": 52.0,
        "reload_gap_ms": 210.0,
    }
    assert {figure.target for figure in read(report)} == {60.0, 300.0}
    assert set(PROPERTIES) >= {"second_press_to_first_frame_ms", "reload_gap_ms"}
