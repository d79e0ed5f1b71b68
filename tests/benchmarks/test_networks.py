"""Tests how calls on bad networks are judged: when the picture is back and whole, the worse page, and the goals."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.benchmarks import networks
from tests.benchmarks.figures import CallFigure, Calls, Goal, Report
from tests.benchmarks.networks import (
    BACK,
    CONCEALED,
    FREEZES,
    GOALS,
    HEIGHT,
    RATE,
    SERIES,
    TRIALS,
    Look,
    back_after_s,
    chosen,
    figures,
    gap_s,
    restored_after_s,
    table,
    worse,
)
from tests.benchmarks.options import Options
from tests.benchmarks.run import run
from tests.benchmarks.tables import document
from tests.benchmarks.test_published import REPORT
from web.errors import ConfigError

ROW = CallFigure("5 % loss", CONCEALED, "%", 0.3, 4.0, goal=Goal("most", 0.5))


def looks(rate: float, lines: int, since_ms: int, until_ms: int, frames: int = 0) -> list[Look]:
    """Return samples of a screen, one per 50 ms from `since_ms` to `until_ms`: (time in ms, frames decoded so far,
    lines of the picture).

    `rate`: frames per second. `frames`: the number decoded before.
    """
    return [(at, frames + int((at - since_ms) * rate / 1000), lines) for at in range(since_ms, until_ms, 50)]


def test_the_picture_is_back_with_the_first_new_frame_after_the_outage() -> None:
    still = [(at, 100, 480) for at in range(0, 2300, 50)]
    assert back_after_s(still, 2000) is None
    assert back_after_s([*still, (2300, 101, 480)], 2000) == pytest.approx(0.3)


def test_the_picture_is_back_too_if_a_new_connection_counts_from_the_beginning() -> None:
    assert back_after_s([(1900, 100, 480), (2400, 3, 480)], 2000) == pytest.approx(0.4)


def test_the_picture_is_whole_again_with_the_first_second_of_its_size_and_rate() -> None:
    small = looks(20, 240, 1000, 3000)
    slow = looks(10, 480, 3000, 4000, frames=40)
    assert restored_after_s([*small, *slow], 1000) is None
    assert restored_after_s([*small, *slow, *looks(20, 480, 4000, 4300, frames=50)], 1000) is None
    whole = restored_after_s([*small, *slow, *looks(20, 480, 4000, 6000, frames=50)], 1000)
    assert whole is not None
    assert 2.2 < whole <= 3.0


def test_a_gap_is_known_once_pictures_have_flowed_again() -> None:
    before, after = looks(20, 480, 0, 1000), looks(20, 480, 2500, 6000, frames=30)
    assert gap_s(before, 1000) is None
    assert gap_s([*before, *after], 1000) == pytest.approx(1.6, abs=0.15)


def test_the_result_is_that_of_the_worse_screen_and_a_missing_time_is_the_worst() -> None:
    assert worse([0.2, 1.5]) == 1.5
    assert worse([0.2, None]) is None
    before = [{"at_ms": 0.0, "frames": 0, "freezes": 0, "lines": 480, "concealed": 0, "samples": 0}] * 2
    after = [
        {"at_ms": 10_000.0, "frames": 200, "freezes": 0, "lines": 480, "concealed": 4800, "samples": 480_000},
        {"at_ms": 10_000.0, "frames": 150, "freezes": 2, "lines": 240, "concealed": 0, "samples": 480_000},
    ]
    assert figures(before, after) == {RATE: 15, FREEZES: 2, CONCEALED: 1, HEIGHT: 240}


@pytest.mark.parametrize(
    ("row", "missed"),
    [
        (ROW, False),
        (replace(ROW, ours=0.6), True),
        (replace(ROW, ours=None), True),
        (replace(ROW, goal=None, ours=None), False),
        (replace(ROW, goal=Goal("least", 15), ours=14.9), True),
        (replace(ROW, goal=Goal("least", 15), ours=15.0), False),
        (replace(ROW, goal=Goal("same"), ours=19.5, direct=20.0), False),
        (replace(ROW, goal=Goal("same"), ours=18.0, direct=20.0), True),
        (replace(ROW, goal=Goal("same"), ours=1.0, direct=None), False),
    ],
)
def test_a_figure_of_calls_misses_a_goal_that_it_does_not_reach(row: CallFigure, missed: bool) -> None:
    assert row.missed is missed


def test_the_table_has_both_kinds_of_call_the_goal_and_whether_it_holds() -> None:
    rows = table(
        {("5 % loss", CONCEALED): 0.3, ("5 % loss", FREEZES): 2.0, (networks.down(5), BACK): None},
        {("5 % loss", CONCEALED): 4.0, ("5 % loss", FREEZES): 0.0},
    )
    report: Report = replace(REPORT, calls=Calls("now", "Chromium 1", (0.1, 9.4), rows))
    page = document(report)
    for words in (
        "## Calls on bad networks",
        "load average 0.1 before, 9.4 after",
        "| 5 % loss | sound concealed | 0.30 % | 4 % | ≤ 0.50 % | HOLDS |",
        "|  | freezes | 2 | 0 | ≤ 0 | MISS |",
        "| link down for 5 s | picture back after | never | – | ≤ 2 s | MISS |",
    ):
        assert words in page
    assert "other work" not in page
    assert "other work" in document(replace(report, calls=Calls("now", "Chromium 1", (3.2, 9.4), rows)))
    assert {row.figure for row in rows if row in report.missed} == {FREEZES, BACK}


def test_every_goal_is_of_a_network_that_is_tried() -> None:
    assert {network for network, _ in GOALS} <= {name for one in SERIES for name in one.rows}


def test_some_networks_are_chosen_by_a_part_of_their_names_and_a_name_that_is_none_is_refused() -> None:
    assert chosen(SERIES, []) == list(SERIES)
    found = chosen(SERIES, ["blocked for 2 s", "20 %"])
    assert [list(one.rows) for one in found] == [["20 % loss"], [networks.blocked(2)]]
    with pytest.raises(ConfigError, match=networks.BLOCKED):
        chosen(SERIES, ["3 % loss"])


def test_some_networks_alone_are_not_published() -> None:
    with pytest.raises(ConfigError, match="--network"):
        run(Options(networks=("5 %",), publish=True))


def test_an_outage_is_measured_in_a_call_that_had_no_slow_network_before() -> None:
    for one in SERIES:
        slow = {trial.name for trial in TRIALS} & set(one.rows)
        assert not slow or not any(name.startswith("UDP blocked") for name in one.rows)


@pytest.mark.long
@pytest.mark.timeout(900)  # in s; the test plays two calls, each on several networks one after another
@pytest.mark.usefixtures("chromium")
def test_calls_of_both_kinds_are_measured_in_real_browsers() -> None:
    made = networks.measure(True, (), True, lambda _: None)
    assert made.skipped == []
    assert made.calls is not None
    found = {(row.network, row.figure): row for row in made.calls.figures}
    for figure in (RATE, FREEZES, CONCEALED, HEIGHT):
        row = found["5 % loss", figure]
        assert row.ours is not None
        assert row.direct is not None
    assert found[networks.blocked(2), BACK].compared
