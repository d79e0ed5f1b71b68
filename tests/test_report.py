"""Tests the last lines of a test run, which list the skipped tests with the reasons.

If every test must run, a test that would be skipped fails instead.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TESTS = """\
import pytest

@pytest.mark.browser
def test_two_people_see_each_other():
    pass

def test_a_page_is_read(chromium):
    assert chromium

def test_something_else():
    pass
"""


def run(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run three tests, two of which need a Chromium, while no program is on PATH; return the result. `environment`:
    further variables.
    """
    (tmp_path / "test_sample.py").write_text(TESTS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += [
        "--rootdir",
        str(tmp_path),
        "--confcutdir",
        str(tmp_path),
        "-p",
        "tests.conftest",
        str(tmp_path),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_without_a_chromium_the_last_lines_say_which_tests_did_not_run_and_why(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert found.returncode == 0, found.stdout
    reason = "no Chromium here: install chromium, or name one with GREENROOM_CHROMIUM"
    assert found.stdout.splitlines()[-3:] == [
        "These 2 did not run:",
        f"  test_sample.py::test_two_people_see_each_other: {reason}",
        f"  test_sample.py::test_a_page_is_read: {reason}",
    ]


def test_a_test_that_would_be_skipped_fails_if_every_test_must_run(tmp_path: Path) -> None:
    found = run(tmp_path, GREENROOM_NO_SKIP="1")
    assert found.returncode == 1
    assert "1 passed, 2 errors" in found.stdout


def test_the_chromium_that_greenroom_chromium_names_is_used(tmp_path: Path) -> None:
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = run(tmp_path, GREENROOM_CHROMIUM=str(program))
    assert found.returncode == 0
    assert "3 passed" in found.stdout
