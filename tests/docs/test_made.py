"""Tests that the parts of documents that are made from the code match the code."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from signalling.visit.record import Policy
from tests.docs import imports
from tests.docs.marked import DOCS, names
from tests.docs.rooms_parts import folders, sentence_of
from tests.docs.visit_parts import limits
from tests.docs.visit_parts import parts as visit_parts
from tests.docs.write import MADE, PARTS, made
from tests.test_architecture import PACKAGES


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_generated_parts_of_documents_equal_the_code(path: Path) -> None:
    assert path.read_text("utf-8") == made(path), "the code has changed: run `make docs`"


@pytest.mark.parametrize("document", PARTS)
def test_every_generated_part_is_in_its_document_once(document: str) -> None:
    assert sorted(names((DOCS / document).read_text("utf-8"))) == sorted(PARTS[document]())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_says_what_it_is(package: str) -> None:
    assert all(sentence_of(folder) for folder in folders(package))


def test_the_drawing_has_red_arrows_for_circles_only() -> None:
    known = {("web", "a"): 5, ("a", "b"): 2, ("b", "web"): 1, ("web", "c"): 1, ("a", "c"): 1}
    assert imports.circles(known) == [{"a", "b", "web"}]
    assert imports.upward(known) == {("b", "web")}
    assert imports.needed(set(known) - imports.upward(known)) == {("web", "a"), ("a", "b"), ("a", "c")}


def test_no_room_imports_another_in_a_circle() -> None:
    assert not imports.upward(imports.links())


def test_every_limit_of_an_organisation_has_its_row() -> None:
    assert list(limits()) == [field.name for field in msgspec.structs.fields(Policy)]


def test_a_limit_has_the_unit_of_its_name_and_a_command_has_a_whole_sentence() -> None:
    made = visit_parts()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made["limits"].splitlines()[2:]]
    times = {name.strip("`") for name, default, _ in rows if default.endswith((" s", " min"))}
    assert times == {name for name in limits() if name.endswith("_ms")}
    meanings = [line.split("|")[2].strip() for line in made["commands"].splitlines()[2:]]
    assert [meaning for meaning in meanings if not meaning.endswith(".")] == []
