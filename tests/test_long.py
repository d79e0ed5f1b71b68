"""Tests that no long test is forgotten: `make test` counts those that it leaves out, and CI runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import left_out

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ("tests/faults/", "tests/journeys/peers/")
"""The folders that `make faults` runs."""

MAKE = """#!/bin/sh
echo "$1" >> made
name=$(cat "fails.$1" 2>/dev/null) || exit 0
mkdir -p .pytest_cache/v/cache && echo "$name" > .pytest_cache/v/cache/lastfailed
exit 2
"""
PYTHON = """#!/bin/sh
[ "$1" = -m ] || exec python3 "$@"
echo "$*" >> again
exit "$(cat fails.again 2>/dev/null || echo 0)"
"""


def marked(mark: str) -> set[str]:
    """Return the files of tests that use this mark."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("tests/**/test_*.py")
        if f"pytest.mark.{mark}\n" in (text := path.read_text("utf-8"))
        or re.search(rf"marks=.*pytest\.mark\.{mark}\b", text)
    } - {"tests/test_long.py"}


def commands(target: str) -> str:
    """Return the commands of a target of the Makefile."""
    asked = ["make", "--dry-run", "--always-make", "--no-print-directory", target, "ARGS=-x"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def ci(folder: Path, **fails: str) -> tuple[int, str, str]:
    """Run .ci/run with replaced programs `make` and `python`.

    Return (its exit code, the targets that it made, the arguments of the second run of failed tests).

    `fails`: target of the Makefile (with `_` for `-`) -> the tests that fail in it, as JSON. The key `again`
    gives the exit code of the second run.
    """
    for path, text in ((folder / "bin/make", MAKE), (folder / "venv/bin/python", PYTHON)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
    for name, said in fails.items():
        (folder / f"fails.{name.replace('_', '-')}").write_text(said)
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "VENV": "venv"}
    done = subprocess.run([folder / ".ci/run"], env=environment, capture_output=True, check=False, timeout=60)
    again = folder / "again"
    made = " ".join((folder / "made").read_text().split())
    return done.returncode, made, again.read_text() if again.exists() else ""


def test_each_file_with_long_tests_has_a_row_that_says_why() -> None:
    text = (ROOT / "docs/CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w/]+\.py)` \| .+ \| .+ \|$", text, re.MULTILINE)
    assert rows == sorted(marked("long"))


def test_what_takes_minutes_is_in_a_folder_that_make_faults_runs() -> None:
    assert [path for path in marked("minutes") if not path.startswith(FAULTS)] == []
    assert "-m pytest " + " ".join(folder.rstrip("/") for folder in FAULTS) in commands("faults")


def test_make_test_long_runs_all_tests_with_the_mark() -> None:
    assert "-m pytest -m long --numprocesses 3 --dist worksteal -x" in commands("test-long")


def test_a_run_says_how_many_tests_it_leaves_out_and_what_runs_them() -> None:
    assert left_out({"long": 40, "minutes": 0}) == [
        "40 tests with the mark `long` were left out; `make test-long` runs them."
    ]


def test_ci_runs_the_long_tests_after_the_others(tmp_path: Path) -> None:
    assert ci(tmp_path) == (0, "check test test-long", "")


def test_ci_fails_at_once_if_the_check_fails_whatever_tests_failed_before(tmp_path: Path) -> None:
    assert ci(tmp_path, check='{"tests/test_a.py::test_a": true}') == (2, "check", "")


@pytest.mark.parametrize(("target", "mark"), [("test", "not long"), ("test_long", "long")])
def test_ci_tries_two_failed_tests_again_and_fails_if_they_fail_again(
    tmp_path: Path, target: str, mark: str
) -> None:
    steady, unsteady = tmp_path / "steady", tmp_path / "unsteady"
    again = f"-m pytest -m {mark} --last-failed --last-failed-no-failures none\n"
    two = '{"tests/test_a.py::test_a": true, "tests/test_b.py::test_b": true}'
    assert ci(unsteady, **{target: two}) == (0, "check test test-long", again)
    made = "check test" if target == "test" else "check test test-long"
    assert ci(steady, **{target: two, "again": "1"}) == (1, made, again)


@pytest.mark.parametrize("target", ["test", "test_long"])
def test_ci_fails_at_once_if_three_tests_fail(tmp_path: Path, target: str) -> None:
    three = '{"tests/test_a.py::a": true, "tests/test_b.py::b": true, "tests/test_c.py::c": true}'
    code, made, again = ci(tmp_path, **{target: three})
    assert (code, again) == (1, "")
    assert made == ("check test" if target == "test" else "check test test-long")
