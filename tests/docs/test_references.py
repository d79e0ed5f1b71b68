"""Tests that each reference in code, tests or documents leads to a document, section and row that exist."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.marked import ROOT
from tests.docs.test_named import rows

KINDS = {".py", ".js", ".ts", ".mjs", ".css", ".html", ".lua", ".toml", ".md", ".svg"}
FOREIGN = ("vendor", "node_modules", "build", "data")
_NAMED = re.compile(
    r"(?P<path>(?:[\w./-]+/)?[A-Z][A-Z-]+\.md)"
    r"(?:#(?P<anchor>[\w-]+)|(?:'s)? rows? (?P<rows>\d+(?:(?:, | and |-)\d+)*))?"
)
_PATH = re.compile(r"`((?:signalling|media|web|tests|docs|greenroom)/[\w./-]*\w)/?`")
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")


def written() -> Iterator[Path]:
    """Yield every file that is written by hand, except this one."""
    for folder, inside, names in os.walk(ROOT):
        inside[:] = sorted(name for name in inside if not name.startswith(".") and name not in FOREIGN)
        for path in (Path(folder, name) for name in sorted(names)):
            if path.suffix in KINDS and path != Path(__file__):
                yield path


FILES = list(written())
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors of a document's headings, as GitHub makes them for links."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads)


def found(name: str, beside: Path) -> Path | None:
    """Return the document that a reference in the file `beside` names; None if there is none.

    `name`: a path from the folder of `beside` or from the checkout, or a file name that only one document
    has.
    """
    for start in (beside.parent, ROOT):
        if (start / name).is_file():
            return (start / name).resolve()
    same = [path for path in DOCUMENTS if path.name == name]
    return same[0] if len(same) == 1 else None


def named(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Yield (line, document, anchor, rows) for each reference in a file; anchor and rows are "" if it has none."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for match in _NAMED.finditer(line):
            yield number, match["path"], match["anchor"] or "", match["rows"] or ""


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_document_that_is_named_exists_with_its_section_and_row(kind: str) -> None:
    wrong = []
    for path in FILES:
        for line, name, anchor, numbers in named(path) if path.suffix == kind else ():
            where = f"{path.relative_to(ROOT)}:{line} {name}"
            document = found(name, path)
            if document is None:
                wrong.append(f"{where} does not exist")
            elif anchor and anchor not in anchors(document):
                wrong.append(f"{where}#{anchor} does not exist")
            elif numbers and not {int(n) for n in re.findall(r"\d+", numbers)} <= set(rows(document)):
                wrong.append(f"{where} has no row {numbers}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_to_a_file_and_a_section(document: Path) -> None:
    wrong = []
    for target, anchor in _LINK.findall(document.read_text("utf-8")):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        to = (document.parent / target) if target else document
        if not to.exists():
            wrong.append(target)
        elif anchor and to.suffix == ".md" and anchor not in anchors(to):
            wrong.append(f"{target}#{anchor}")
    assert not wrong, wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    wrong = [name for name in _PATH.findall(document.read_text("utf-8")) if not (ROOT / name).exists()]
    assert not wrong, wrong
