"""Tests that each test that a document names exists, and that there is a row for each row number in the
name of a test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.marked import DOCS, ROOT

NUMBERED = {"SECURITY.md": "s", "RELIABILITY.md": "r"}
"""Document with numbered rows -> the letter that stands before a row's number in the name of a test."""
DOCUMENTS = sorted(DOCS.glob("*.md"))
_DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
_NAMED = re.compile(r"`(?:[\w/.]+::)?(test_[a-z0-9_]+)(…?)(?:\[[^\]`]*\])?`")
_ROW = re.compile(r"^\| ([A-Z]?\d+) \|", re.MULTILINE)


def all_tests() -> set[str]:
    """Return the names of all tests."""
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in _DEFINED.findall(path.read_text("utf-8"))
    }


TESTS = all_tests()


def rows(document: Path) -> list[int]:
    """Return the numbers of the rows in a document's tables."""
    return [
        int(row.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) for row in _ROW.findall(document.read_text("utf-8"))
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    missing = [
        name
        for name, begins in _NAMED.findall(document.read_text("utf-8"))
        if not (any(test.startswith(name) for test in TESTS) if begins else name in TESTS)
    ]
    assert not missing, f"{document.name}: {missing}"


def test_every_row_of_security_is_there_once_and_has_tests_or_says_that_it_has_none() -> None:
    document = DOCS / "SECURITY.md"
    assert rows(document) == list(range(1, len(rows(document)) + 1))
    for line in document.read_text("utf-8").splitlines():
        if _ROW.match(line):
            last = line.split(" | ")[-1]
            assert _NAMED.search(last) or last.startswith(("not built", "not yet")), line


def test_every_row_of_reliability_is_there_once_and_has_tests() -> None:
    document = DOCS / "RELIABILITY.md"
    assert rows(document) == [10, 20, *range(22, 41)]
    for line in document.read_text("utf-8").splitlines():
        if found := _ROW.match(line):
            assert f"`test_r{found[1]}_…`" in line, line


def test_everything_that_an_operator_does_names_its_tests() -> None:
    text = (DOCS / "RELIABILITY.md").read_text("utf-8").split("## What an operator does")[1].split("\n## ")[0]
    acts = re.findall(r"^\| ([a-z][^|]+) \| (.+) \|$", text, re.MULTILINE)[1:]
    assert [
        act.split()[0] for act, _ in acts
    ] == "install install install install see kill roll rotate take".split()
    assert [act for act, tests in acts if not _NAMED.search(tests)] == []


@pytest.mark.parametrize("name", [name for name in NUMBERED if (DOCS / name).exists()])
def test_every_number_in_a_tests_name_has_its_row(name: str) -> None:
    known, letter = set(rows(DOCS / name)), NUMBERED[name]
    carried = {int(found[1]) for test in TESTS if (found := re.match(rf"test_{letter}(\d+)_", test))}
    assert carried <= known, f"{name} has no row for {sorted(carried - known)}"


def test_a_row_that_says_not_yet_has_no_tests() -> None:
    waiting = [
        line.split(" | ")[0].strip("| ")
        for line in (DOCS / "SECURITY.md").read_text("utf-8").splitlines()
        if line.rstrip().endswith(("not yet |",))
    ]
    done = [row for row in waiting if any(test.startswith(f"test_s{row}_") for test in TESTS)]
    assert not done, f"docs/SECURITY.md: rows {done} have tests now"
