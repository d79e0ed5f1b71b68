"""Tests the scripts and style sheets of the pages: the results of their checkers, and the length of their lines."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.limits import WAIT_S

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tests/javascript"
LONGEST = 110


def sources() -> list[Path]:
    """Return every script and style sheet of this repository that people write by hand."""
    found = (path for folder in ("web", "tests") for path in (ROOT / folder).rglob("*"))
    return [
        path
        for path in found
        if path.suffix in {".js", ".mjs", ".cjs", ".ts", ".css"}
        and not {"vendor", "node_modules", "joined"} & {*path.parts}
    ]


def test_no_line_of_a_script_or_style_sheet_is_too_long() -> None:
    assert len(sources()) > 70
    too_long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1)
        if len(line) > LONGEST
    ]
    assert too_long == []


def test_the_tools_are_locked_by_version_and_hash_and_by_no_address() -> None:
    packages = json.loads((TOOLS / "package-lock.json").read_text("utf-8"))["packages"]
    tools = {name: package for name, package in packages.items() if name}
    assert "node_modules/typescript" in tools
    assert all(package["version"] and package["integrity"] for package in tools.values())
    assert not any("resolved" in package for package in tools.values())


@pytest.mark.parametrize(("no_skip", "status"), [("", 0), ("1", 1)])
def test_without_node_one_sentence_is_printed_and_only_ci_fails(
    tmp_path: Path, no_skip: str, status: int
) -> None:
    for tool in ("sh", "dirname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    env = {**os.environ, "PATH": str(tmp_path), "GREENROOM_NO_SKIP": no_skip}
    done = subprocess.run([TOOLS / "check"], env=env, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == "The tools for JavaScript and CSS are missing: install nodejs and npm.\n"
