"""Tests that the settings, commands, log events and make targets that documents name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer

from tests.docs.marked import DOCS, ROOT
from tests.test_architecture import PACKAGES, sources
from web.commands.main import app
from web.config import Settings
from web.peers.cli.command import peers_app

DOCUMENTS = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
_SPAN = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"```(?:sh)?\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"(?:^|/)greenroom ([a-z][a-z-]*(?: [a-z][a-z-]*)?)(?![\w:/.-])", re.MULTILINE)
ids = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def code(document: Path) -> Iterator[str]:
    """Yield every text in backticks or a code block of a document."""
    text = document.read_text("utf-8")
    yield from _BLOCK.findall(text)
    yield from _SPAN.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@ids
def test_every_setting_that_a_document_names_exists(document: Path) -> None:
    sections = {field.encode_name: field.type for field in msgspec.structs.fields(Settings)}
    wrong = [
        f"[{section}] {key}"
        for piece in code(document)
        for section, key in re.findall(r"\[(\w+)\] (\w+)", piece)
        if section not in sections
        or key not in {f.encode_name for f in msgspec.structs.fields(sections[section])}
    ]
    assert not wrong, f"{document.name}: {wrong}"


@ids
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    known = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    known["peers"] = typer.main.get_command(peers_app)
    wrong = []
    for piece in code(document):
        for words in _COMMAND.findall(piece):
            first, _, second = words.strip().partition(" ")
            inner = getattr(known.get(first), "commands", None)
            if first not in known or (second and inner is not None and second not in inner):
                wrong.append(words.strip())
    assert not wrong, f"{document.name}: greenroom {wrong}"


@ids
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for piece in code(document) for name in re.findall(r"^make ([a-z]+)", piece, re.MULTILINE)}
    assert named <= targets, f"{document.name}: make {sorted(named - targets)}"


def test_every_log_event_of_the_table_exists() -> None:
    table = (DOCS / "OPERATIONS.md").read_text("utf-8").split("## Logs")[1].split("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(named) > 10
    text = "".join(path.read_text("utf-8") for package in PACKAGES for path in sources(package))
    assert not [name for name in named if f'"{name}"' not in text]
