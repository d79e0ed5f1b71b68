"""Tests that Python runs each change of a file, and the unchanged file afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.mutants.changes import changes
from tests.mutants.in_place import changed


def imported(folder: Path) -> str:
    """Return what a new process finds in the module `source` of a folder."""
    command = [sys.executable, "-S", "-c", "import source; print(source.NAMES)"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_two_changes_of_the_same_size_are_both_run_and_then_the_file_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text('NAMES = ["a", "b"]\n', "utf-8")
    before = source.stat()
    assert imported(tmp_path) == "['a', 'b']"
    found = []
    for change in changes(source.read_bytes()):
        with changed(source, change):
            found.append(imported(tmp_path))
    assert found == ["['ax', 'b']", "['a', 'bx']"]
    assert imported(tmp_path) == "['a', 'b']"
    assert source.stat().st_mtime == before.st_mtime
