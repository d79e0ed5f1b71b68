"""The benchmark itself: that it measures, on the real server, and reads what it measured. Not how fast we are."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import between, driver, fanout, waiting
from tests.benchmarks.browser import PROPERTIES, read
from tests.benchmarks.claim import PROVIDERS, Round, judge
from tests.benchmarks.figures import Figure, compared, medians, percentile
from tests.benchmarks.options import NAMES
from tests.benchmarks.others import media, setup
from tests.benchmarks.others.calls import is_keyframe
from tests.benchmarks.process import ChildFailed
from tests.benchmarks.stage import stage
from tests.server import ROOT

BENCH = [sys.executable, "-m", "tests.benchmarks"]


def quiet(_: object) -> None:
    """Nobody looks at the progress here."""


def test_quick_claims_on_the_real_server_have_one_winner_each_and_every_assignment_rings(
    tmp_path: Path,
) -> None:
    said, page = tmp_path / "figures.json", tmp_path / "figures.md"
    files = ["--json", str(said), "--markdown", str(page)]
    ended = subprocess.run(
        [*BENCH, "--quick", "--alone", "--only", "claim", "--only", "assign", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads(said.read_text())
    assert report["skipped"] == []
    figures = {figure["id"]: figure["value"] for figure in report["figures"]}
    assert figures["claim_wrong"] == 0
    assert figures["claim_unseen"] == 0
    assert 0 < figures["claim_p50_ms"] <= figures["claim_p99_ms"] < 10_000
    assert figures["assign_unheard"] == 0
    assert 0 < figures["assign_p50_ms"] <= figures["assign_p99_ms"] < 10_000
    assert "| claim to the patient’s page on the other worker, p99 |" in page.read_text()


def test_everybody_hears_every_row_and_a_server_that_cannot_be_had_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    made = fanout.measure(fanout.Size(20, 1, 0.4, 1, 10), ["socket.io"], quiet, quiet)
    assert [(skipped.name, skipped.why) for skipped in made.skipped] == [
        ("socket.io", "Node is not installed")
    ]
    figures = {figure.id: figure.value for figure in made.figures}
    for name in ("fanout_us", "fanout_burst_us", "fanout_flood_us", "fanout_last_p50_ms", "fanout_store_us"):
        assert 0 < figures[name] < 1e6, name


def test_a_line_and_a_switched_off_microphone_reach_the_other_socket_on_either_worker() -> None:
    made = between.measure(between.Size(2, 1, 2, 2), [], quiet, quiet)
    figures = {figure.id: figure.value for figure in made.figures}
    assert set(figures) == {"muted_one_us", "muted_across_us", "line_one_us", "line_across_us"}
    assert all(0 < value < 1e6 for value in figures.values())


def test_the_curve_of_waiting_patients_has_a_point_for_each_number_of_them() -> None:
    with stage(1) as ready:
        made = waiting.measure(ready, waiting.Size((5, 40), 1, 3), quiet)
    assert [point.waiting for point in made.curve] == [5, 40]
    assert all(0 < point.claim_p50_ms <= point.claim_p99_ms for point in made.curve)
    assert all(point.open_ms > 0 and point.claim_us > 0 for point in made.curve)


def test_the_load_tester_is_asked_what_it_takes_as_anybody_would_ask_it() -> None:
    run = driver.run(3, 3, "none", "at-once", talk="2s")  # so long that it is looked at more than once
    assert run["people"] == {"arrived": 3, "waiting": 0, "in_call": 0, "done": 3}
    assert 0 <= run["driver_cpu_per_visit_s"] < 10, "three people may take less than the system counts"
    assert run["gauges"]["in_call"]["max"] == 3
    with pytest.raises(ChildFailed, match="--media"):
        driver.run(1, 1, "opera", "at-once")


def test_a_clinic_may_have_more_staff_than_there_are_connections_to_the_store() -> None:
    with stage(1) as ready:
        assert len(ready.staff(120, 121)) == 121


def test_the_load_testers_share_of_a_core_is_that_while_all_are_in_their_calls() -> None:
    in_call = [[0.0, 0], [1.0, 3], [2.0, 4], [3.0, 4], [9.0, 4], [10.0, 3], [11.0, 0]]
    share = [[1.0, 0.9], [2.5, 0.9], [4.0, 0.2], [6.0, 0.4], [9.0, 0.9], [11.0, 0.1]]
    gauges = {"in_call": {"over_time": in_call}, "driver_cpu": {"over_time": share}}
    assert driver.share({"people": {"arrived": 4}, "gauges": gauges}) == pytest.approx(0.3)


def test_the_first_picture_comes_after_the_second_press_and_packets_cost_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "SETTLE_S", 0.2)
    with media.ours() as server:
        assert 0 < media.first(server, "call") < 5000
        spent = media.talk(server, 1, 0.3, late=False)
    assert 0 < spent.us < 10_000


def test_an_unknown_measurement_is_refused_with_the_names_of_those_there_are() -> None:
    ended = subprocess.run(
        [*BENCH, "--only", "speed"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert ", ".join(NAMES) in ended.stderr


def test_what_a_package_tool_cannot_fetch_is_said_without_what_it_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    for name, script in (("node", "exit 0"), ("npm", "echo https://registry.example/secret >&2; exit 1")):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told: list[str] = []
    with pytest.raises(setup.Missing, match=r"^npm could not fetch it \(exit code 1\)$"):
        setup.node_modules(told.append)
    assert told == [
        f"Setting up socket.io and ws in {tmp_path / 'cache' / 'greenroom' / 'bench' / 'node'}, once …"
    ]


def test_janus_that_is_missing_says_how_it_is_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.Missing, match="--install-janus"):
        setup.janus(quiet, install=False)


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


def test_a_comparison_takes_the_ratio_round_by_round_and_misses_below_its_target() -> None:
    rounds = {"ours": [2.0, 4.0, 3.0], "theirs": [6.0, 8.0, 9.0]}
    found = compared("x", "x", "µs", rounds, {"theirs": 2.5})
    assert [value.value for value in found.values] == [3.0, 8.0]
    assert found.values[1].ratio == 3.0  # of 3, 2 and 3
    assert not found.missed
    assert compared("x", "x", "µs", rounds, {"theirs": 3.5}).missed


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (95, 4), (99, 4), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == value


@pytest.mark.parametrize(
    ("payload", "keyframe"),
    [
        (b"\x10\x00", True),  # no extensions, first partition, inverse key bit 0
        (b"\x10\x01", False),
        (b"\x00\x00", False),  # not where a frame begins
        (b"\x90\x80\x81\x23\x00", True),  # a picture id of two bytes
        (b"\x90\x80\x12\x01", False),  # of one
        (b"\x90\xe0\x12\x01\x40\x00", True),  # and a TL0PICIDX, and a temporal layer
        (b"\x90", False),
        (b"", False),
    ],
)
def test_a_keyframe_is_told_from_another_frame_whatever_extensions_there_are(
    payload: bytes, keyframe: bool
) -> None:
    assert is_keyframe(payload) is keyframe


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
