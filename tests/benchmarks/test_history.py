"""Tests that published runs are remembered by the kind of machine, and that docs/BENCHMARKS.md shows them."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tests.benchmarks.figures import Comparison, Figure, Value
from tests.benchmarks.history import entry_of, line, page, read, read_misses, remember, rows
from tests.benchmarks.publish import MISSES, TREND, published, trend
from tests.benchmarks.test_published import MACHINE, REPORT


def test_a_run_is_remembered_with_its_kind_of_machine(tmp_path: Path) -> None:
    entry = entry_of(REPORT)
    assert entry.kind == "A processor, 2 cores, Python 3.11"
    assert entry.values == {"claim_p99_ms": 1.9, "x_ms": 7.0}
    assert entry.ratios == {"a_us other": 2.0, "a_store_us other": 0.33, "media_us Janus": 1.5}
    path = tmp_path / "history.jsonl"
    assert read(path) == []
    remember(path, entry)
    remember(path, replace(entry, started="2026-02-03 04:05 UTC"))
    assert [one.started[:10] for one in read(path)] == ["2026-01-02", "2026-02-03"]


def test_the_trend_shows_figures_with_a_target_over_runs_on_the_same_kind_of_machine() -> None:
    slower = replace(
        REPORT,
        started="2026-02-03 04:05 UTC",
        figures=[Figure("claim_p99_ms", "claim", 3.0, "ms", 5.0)],
        comparisons=[
            Comparison("a_us", "work: CPU", "µs", [Value("Greenroom", 8), Value("other", 9, 1.5, 1.4)])
        ],
    )
    elsewhere = replace(REPORT, machine=replace(MACHINE, cores=8))
    found = page([entry_of(REPORT), entry_of(slower), entry_of(elsewhere)], REPORT, {})
    assert "### A processor, 2 cores, Python 3.11\n\n2 runs, 2026-01-02 to 2026-02-03" in found
    assert "| claim | 1.90 ms | 3 ms | ▁█ |" in found
    assert "| work: CPU, other to ours | 2 × | 1.50 × | █▁ |" in found
    assert "| x |" not in found
    assert "### A processor, 8 cores, Python 3.11\n\n1 run, " in found


def test_a_line_has_a_bar_for_each_run() -> None:
    assert line([1.0, 2.0, 8.0]) == "▁▂█"
    assert line([5.0, 5.0]) == "▄▄"
    assert len(line([float(value) for value in range(50)])) == 20


def test_the_page_shows_each_target_with_its_verdict_and_what_bounds_a_missed_figure() -> None:
    missed = replace(REPORT, figures=[*REPORT.figures, Figure("idle_kb", "an idle socket", 12.0, "KB", 9.6)])
    found = page([], missed, {"idle_kb": "aiohttp keeps its parser.", "claim_p99_ms": "unused"})
    assert "| claim | 1.90 ms | ≤ 5 ms | ok |" in found
    assert "| an idle socket | 12 KB | ≤ 9.60 KB | MISS |" in found
    assert "| work: CPU, other to ours | 2 × | ≥ 1.40 × | ok |" in found
    assert "- **an idle socket**: aiohttp keeps its parser.\n" in found
    assert "unused" not in found


def test_each_missed_figure_of_the_published_run_says_what_bounds_it() -> None:
    misses = read_misses(MISSES)
    assert [row.name for row in rows(published()) if row.missed and len(misses.get(row.key, "")) < 40] == []


def test_each_sentence_about_a_missed_figure_is_about_a_figure_with_a_target() -> None:
    assert set(read_misses(MISSES)) <= {row.key for row in rows(published())}


def test_the_page_of_the_trend_is_made_of_the_remembered_runs() -> None:
    assert trend(published()) == TREND.read_text("utf-8"), "write it anew: make bench ARGS=--tables"
