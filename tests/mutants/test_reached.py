"""Tests which lines a test is recorded to run, and which tests are chosen for a line, in which order."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.mutants.reached import AT_IMPORT, Chosen, Reached, Recorder

SOURCE = """\
LIMIT = 7

def read(number):
    if number > LIMIT:
        return None
    return number
"""
LINES = {"source.py": {1, 4, 5, 6}}


def item(name: str) -> Any:
    """Return an object with a test's name, in the place of the item that pytest passes to a plugin."""
    return SimpleNamespace(nodeid=name)


def test_the_lines_that_a_test_runs_are_noted_with_its_name_and_those_of_imports_without(
    tmp_path: Path,
) -> None:
    recorder, before = Recorder(tmp_path, LINES), sys.gettrace()
    names: dict[str, Any] = {}
    try:
        recorder.start()
        exec(compile(SOURCE, tmp_path / "source.py", "exec"), names)
        for name, number in (("small", 1), ("large", 8)):
            running = recorder.pytest_runtest_protocol(item(name))
            next(running)
            names["read"](number)
            assert list(running) == []
    finally:
        threading.settrace(None)
        sys.settrace(before)
    assert recorder.reached.tests == {
        ("source.py", 1): {AT_IMPORT},
        ("source.py", 4): {"small", "large"},
        ("source.py", 5): {"large"},
        ("source.py", 6): {"small"},
    }
    assert recorder.reached.took_s.keys() == {"small", "large"}


def reached() -> Reached:
    """Return the joined results of the runs of two test files."""
    first = Reached({"slow": 2.0, "quick": 1.0, "other": 0.5}, set(), {("a.py", 1): {"slow", "quick"}})
    first.add(Reached({"quickest": 0.1, "failed": 0.2}, {"failed"}, {("a.py", 1): {"quickest", "failed"}}))
    first.add(Reached({}, set(), {("a.py", 2): {"quick", AT_IMPORT}, ("a.py", 3): {"failed"}}))
    return first


def test_the_tests_that_run_a_line_are_chosen_the_quickest_first_without_those_that_fail_anyway() -> None:
    assert reached().by("a.py", [1]) == ["quickest", "quick", "slow"]
    assert reached().by("b.py", [1]) == reached().by("a.py", [3]) == ["quickest", "other", "quick", "slow"]


def test_no_test_is_returned_for_a_line_that_no_passed_test_has_run() -> None:
    assert reached().running("a.py", [1]) == ["quickest", "quick", "slow"]
    assert reached().running("b.py", [1]) == reached().running("a.py", [3]) == []


def test_all_tests_are_chosen_for_a_line_that_runs_at_import() -> None:
    assert reached().by("a.py", [1, 2]) == ["quickest", "other", "quick", "slow"]


def test_chosen_tests_run_in_order_then_unknown_ones_and_no_others() -> None:
    items = [item(name) for name in ("left out", "renamed", "second", "first")]
    Chosen({"first": 1.0, "second": 1.0}, ["left out"]).pytest_collection_modifyitems(items)
    assert [one.nodeid for one in items] == ["first", "second", "renamed"]
