"""Tests that the published results, the tables, the picture and the README agree."""

import xml.etree.ElementTree as ElementTree

import pytest
from msgspec.structs import replace

from tests.benchmarks import visit_tables
from tests.benchmarks.figures import Comparison, Figure, Machine, Point, Report, Skipped, Value
from tests.benchmarks.publish import CURVE, PAGE, README, VISITS, joined, page, published, table
from tests.benchmarks.tables import BEGIN, END, HEADLINES, cell, document, picture, placed, readme

MACHINE = Machine("A processor", 2, "Linux 6", {"Python": "3.11", "Node": "20"}, (0.1, 0.9))
REPORT = Report(
    command="make bench",
    started="2026-01-02 03:04 UTC",
    took_s=61.4,
    runs=3,
    machine=MACHINE,
    figures=[Figure("claim_p99_ms", "claim", 1.9, "ms", 5.0, "300 rounds"), Figure("x_ms", "x", 7.0, "ms")],
    skipped=[Skipped("janus", "Janus is not installed")],
    comparisons=[
        Comparison(
            "a_us", "work: CPU", "µs", [Value("Greenroom", 8.0), Value("other", 16.0, 2.0, 1.4)], "10 rounds"
        ),
        Comparison(
            "a_store_us", "work: the store’s CPU", "µs", [Value("Greenroom", 9.0), Value("other", 3.0, 0.33)]
        ),
        Comparison(
            "media_us", "packet: CPU", "µs", [Value("Greenroom", 20.0), Value("Janus", 30.0, 1.5, 2.0)]
        ),
    ],
    curve=[Point(10, 0, 0.7, 1.1, 1.9, 900.0), Point(10_000, 0, 92.0, 1.2, 2.1, 950.0)],
)


def test_new_measurements_replace_earlier_published_ones() -> None:
    newer = replace(
        REPORT,
        command='make bench ARGS="--only sockets"',
        figures=[Figure("x_ms", "x", 6.0, "ms"), Figure("new_ms", "new", 1.0, "ms")],
        comparisons=[REPORT.comparisons[1]],
        curve=[],
        skipped=[],
    )
    both = joined(REPORT, newer)
    assert [(one.id, one.value) for one in both.figures] == [
        ("claim_p99_ms", 1.9),
        ("x_ms", 6.0),
        ("new_ms", 1.0),
    ]
    assert [part.command for part in both.parts] == ["make bench", 'make bench ARGS="--only sockets"']
    again = joined(both, replace(newer, started="later"))
    assert [(part.command, part.started) for part in again.parts] == [
        ("make bench", REPORT.started),
        ('make bench ARGS="--only sockets"', "later"),
    ]
    page = document(again)
    assert all(f"- {part}" in page for part in again.parts)
    assert (both.comparisons, both.curve, both.skipped) == (REPORT.comparisons, REPORT.curve, [])


def test_the_readme_shows_what_the_published_run_measured() -> None:
    text = README.read_text("utf-8")
    assert BEGIN + text.partition(BEGIN)[2].partition(END)[0] + END == table(), (
        "write it anew: make bench ARGS=--tables"
    )


def test_the_published_page_and_picture_are_made_of_the_same_run() -> None:
    report = published()
    assert page(report) == PAGE.read_text("utf-8")
    if report.curve:
        assert picture(report.curve) == CURVE.read_text("utf-8")
    if report.loads:
        assert visit_tables.picture(report.loads) == VISITS.read_text("utf-8")


def test_the_page_says_where_with_what_and_what_was_not_measured() -> None:
    shown = document(REPORT, "curve.svg")
    for words in (
        "`make bench`, 2026-01-02 03:04 UTC, A processor, 2 cores, 61 s",
        "Node 20",
        "| work: CPU | 8 µs | **16 µs (×2)** | 10 rounds |",
        "| packet: CPU | 20 µs | 30 µs (×1.50) MISS ≥ ×2 |  |",
        "| 10,000 | 0 | 92 ms | 1.20 ms | 2.10 ms | 0.95 ms |",
        "![What a claim takes as more patients wait](curve.svg)",
        "Not measured: janus (Janus is not installed).",
        "## How it was compared",
    ):
        assert words in shown


def test_the_readme_has_six_figures_and_says_where_the_others_are() -> None:
    said = readme(REPORT, "results.md")
    assert said.startswith(BEGIN)
    assert said.endswith(END)
    assert "| claim | 1.90 ms | ≤ 5 ms | ok |" in said
    assert "| x |" not in said
    assert "work: CPU" not in said
    assert "(results.md)" in said
    assert len(HEADLINES) == 6
    assert set(HEADLINES) <= {figure.id for figure in published().figures}


def test_a_table_is_placed_between_its_markers_and_nowhere_else() -> None:
    assert (
        placed(f"before {BEGIN} old {END} after", f"{BEGIN} new {END}") == f"before {BEGIN} new {END} after"
    )
    with pytest.raises(ValueError, match="markers"):
        placed("no markers here", "table")


def test_a_ratio_without_a_target_is_shown_without_a_verdict() -> None:
    assert cell(Value("other", 16.0, 2.0), "µs") == "16 µs (×2)"
    assert cell(Value("other", 16.0, float("nan"), 2.0), "µs") == "16 µs MISS ≥ ×2"


def test_the_curve_is_a_picture_with_a_point_for_each_number_and_line() -> None:
    drawn = ElementTree.fromstring(picture(REPORT.curve))
    name = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f"{name}circle")) == 8
    assert len(drawn.findall(f"{name}polyline")) == 4
    assert {text.text for text in drawn.findall(f"{name}text")} >= {"10", "10,000", "claim, p99", "1 ms"}
