"""Tests that docstrings, comments, names of tests, log events and documents have no word that readers must guess.

Only prose is read: a word in `backticks` or "quotation marks" is code, or a text of a page. The section Words of
CONTRIBUTING.md gives the reasons.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.test_architecture import ROOT
from tests.test_log_events import found

PLAIN: Mapping[str, str] = {
    r"tells?|told|telling": "send, show, report, ask; or distinguish two things",
    r"(hears?|heard)\s(of|about)": "receive, learn",
    r"who(m|se)?ever": "the subject by name: a provider, the client",
    r"doors?": "route, form, link",
    r"seats?": "membership, place",
    r"ears?|deaf": "listener; receives nothing",
    r"trails?": "audit log",
    r"witness(es)?": "record, proof",
    r"buried|afar": "hidden; on another worker",
    r"so\s(many|much|few)": "at most N, this number of, enough",
    r"in\svain": "without success",
    r"as\sever": "as before",
    r"see\sthe\smodule": "a sentence that can be read alone",
    r"let(s|ting)?\sgo": "release, end",
    r"stands?\sin\sfor": "replace",
    r"what\s(has\s)?(comes?|came)\sof": "the result of",
    r"but\sfor": "except",
    r"any\smore(?=\))": "or no longer",
    r"for\sgood": "permanently; and end it",
}
"""Refused words, as a pattern -> the words to write instead."""
REFUSED = {re.compile(rf"\b(?:{words})\b", re.IGNORECASE): plain for words, plain in PLAIN.items()}
ANY = re.compile("|".join(pattern.pattern for pattern in REFUSED), re.IGNORECASE)

FOLDERS = ("signalling", "media", "web", "greenroom", "tests")
OTHERS = frozenset({"vendor", "node_modules", "joined", Path(__file__).name})
"""Folders and files that are not checked: made by programs, written elsewhere, or this file."""
QUOTED = re.compile(r"`[^`]*`|\"[^\"\n]*\"|\{[^}]*\}")
"""The parts of a line that are no prose: code, texts of pages, and JSDoc's types."""
DOCUMENTS = sorted(
    {ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "signalling").rglob("*.md")}
    - {ROOT / "docs/BENCHMARKS.md"}
)
"""The documents that people write; BENCHMARKS.md has the names of figures as they were published."""
COMMENT = re.compile(r"(?:^|\s)# (.*)$", re.MULTILINE)
SCRIPT_COMMENT = re.compile(r"/\*([\s\S]*?)\*/|(?:^|\s)// (.*)$", re.MULTILINE)
SCRIPT_TEST = re.compile(r"^\s*test\(\s*\"([^\"]*)\"", re.MULTILINE)


def prose(name: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) for each comment, docstring and name of a test in a source file."""
    patterns = (COMMENT,) if name.endswith(".py") else (SCRIPT_COMMENT, SCRIPT_TEST)
    for pattern in patterns:
        for match in pattern.finditer(source):
            yield source.count("\n", 0, match.start(match.lastindex or 0)) + 1, match[match.lastindex or 0]
    for node in ast.walk(ast.parse(source)) if name.endswith(".py") else ():
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                yield node.lineno, name.replace("_", " ")


def faults(name: str, source: str) -> list[str]:
    """Return one sentence for each refused word in the prose of a source file."""
    if not ANY.search(source.replace("_", " ")):
        return []
    return [
        f"{name}:{line}: “{match[0]}”; write instead: {plain}"
        for line, text in prose(name, source)
        for pattern, plain in REFUSED.items()
        for match in pattern.finditer(QUOTED.sub("", text))
    ]


def sources() -> Iterator[Path]:
    """Yield every Python file and script of this repository that people write by hand."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".js") and not OTHERS & {*path.parts}:
                yield path


def test_no_prose_of_the_sources_has_a_refused_word() -> None:
    paths = list(sources())
    assert len(paths) > 900
    wrong = [
        fault for path in paths for fault in faults(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_has_a_refused_word(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    wrong = [
        f"“{match[0]}”; write instead: {plain}"
        for pattern, plain in REFUSED.items()
        for match in pattern.finditer(QUOTED.sub("", text))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_log_event_has_a_refused_word() -> None:
    wrong = [
        f"{place} {event}" for place, event in found().items() if ANY.search(re.sub(r"[._]", " ", event))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_text_of_a_page_says_hear_for_learn() -> None:
    texts = (ROOT / "web/locale/es/LC_MESSAGES/messages.po").read_text("utf-8")
    assert re.findall(r"\b(?:hears?|heard) (?:of|about)\b", texts) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", '"""Return who is told."""'),
        ("a.py", "value = 1  # whoever\n"),
        ("a.py", "async def test_a_guest_is_told() -> None: ..."),
        ("a.js", "/** Takes a\n * seat. */"),
        ("a.js", "const a = 1; // the last door"),
        ("a.js", 'test("a patient hears of it", () => {});'),
        ("a.py", '"""Return what came of a call."""'),
        ("a.py", "value = 1  # pure but for its clock\n"),
        ("a.py", '"""Return None if it is not valid (any more)."""'),
    ],
)
def test_a_refused_word_is_found(name: str, source: str) -> None:
    [fault] = faults(name, source)
    assert "write instead" in fault


@pytest.mark.parametrize("source", ['"""Return `told`, or "not told"."""', "told = 1", 'text = "the door"'])
def test_code_and_quoted_texts_are_not_read(source: str) -> None:
    assert faults("a.py", source) == []
