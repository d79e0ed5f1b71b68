"""Tests what a sample of changes contains, and its figures in results.md."""

from __future__ import annotations

from tests.mutants.run import RESULTS, read_samples
from tests.mutants.samples import Survivor, report, sample

WEAK, SAME, OTHER = (Survivor("a.py", line, "`<` → `<=`", f"if a < {line}:") for line in (1, 2, 3))


def test_a_survivor_that_is_killed_later_counts_in_the_present_figure_only() -> None:
    drawn = sample("abc1234", 9, [(OTHER, "killed"), (OTHER, "late"), (WEAK, "survived"), (SAME, "survived")])
    assert "| `drawn so` | abc1234 | 9 | 4 | 0 | 2 of 4 (50.0 %) | 2 of 4 (50.0 %) |" in report(
        {"drawn so": drawn}
    )
    later = drawn.again({WEAK: "killed", SAME: "equivalent"})
    assert "| `drawn so` | abc1234 | 9 | 4 | 1 | 2 of 3 (66.7 %) | 3 of 3 (100.0 %) |" in report(
        {"drawn so": later}
    )


def test_a_survivor_is_found_again_on_another_line() -> None:
    assert WEAK.names(Survivor("a.py", 70, WEAK.change, WEAK.code, "killed"))
    assert not WEAK.names(SAME)


def test_results_md_is_made_from_the_kept_samples() -> None:
    assert RESULTS.read_text("utf-8") == report(read_samples())
