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
[ ! -e "fails.$1" ]
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


def ci(folder: Path, fails: str = "") -> tuple[bool, str]:
    """Run .ci/run with a replaced program `make`; return (whether it passed, the targets that it made).

    `fails`: the target of the Makefile that fails.
    """
    for path, text in ((folder / "bin/make", MAKE), (folder / f"fails.{fails}", "")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run([folder / ".ci/run"], env=environment, capture_output=True, check=False, timeout=60)
    return done.returncode == 0, " ".join((folder / "made").read_text().split())


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
    assert ci(tmp_path) == (True, "test test-long")


def test_make_test_checks_style_and_types_beside_the_tests() -> None:
    # A dry run would execute this target: make executes each line that contains $(MAKE).
    rules = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^test: .*\n(\t.*\n)*?\t@\$\(MAKE\) --no-print-directory check & ", rules, re.MULTILINE)


@pytest.mark.parametrize(("fails", "made"), [("test", "test"), ("test-long", "test test-long")])
def test_ci_fails_at_the_first_failed_test_without_a_second_try(
    tmp_path: Path, fails: str, made: str
) -> None:
    assert ci(tmp_path, fails) == (False, made)
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements/dev.txt").read_text("utf-8"), re.MULTILINE)
    assert [name for name in locked if re.search("rerun|retry|flaky", name)] == []
