"""Tests that the published table of `make faults` and the README show the same figures."""

from pathlib import Path

from tests.faults.conftest import MACHINE, README
from tests.faults.table import Figure, Ran, markdown, placed, read, readme

RESULTS = Path(__file__).with_name("results.json")


def test_the_readme_shows_the_figures_that_were_published() -> None:
    document = README.read_text("utf-8")
    assert placed(document, read(RESULTS)) == document


def test_the_table_has_every_figure_that_was_published() -> None:
    text = RESULTS.with_suffix(".md").read_text("utf-8")
    made = markdown(read(RESULTS), MACHINE).splitlines()
    assert made[3:] == text.splitlines()[3:]


def test_a_figure_above_its_bound_is_called_a_miss() -> None:
    ran = {"t": Ran(False, 1.0, [Figure("R30", "kill -9 of a worker, p95", 2.0, "s", 1.5, "t")], "today")}
    assert "MISS" in readme(ran)
    assert "MISS" in markdown(ran, "a machine")
    assert "FAILED" in markdown(ran, "a machine")
