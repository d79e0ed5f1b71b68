"""What documents hold of the code is what the code says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from signalling.record import Policy
from tests.docs.marked import DOCS, names
from tests.docs.visit_parts import limits
from tests.docs.visit_parts import parts as visit_parts
from tests.docs.write import made

MADE = made()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_is_made_from_the_code_is_as_the_code_has_it(path: Path) -> None:
    assert path.read_text("utf-8") == MADE[path], "the code has changed: run `make docs`"


def test_every_part_about_the_visit_stands_in_its_document_once() -> None:
    assert sorted(names((DOCS / "VISIT.md").read_text("utf-8"))) == sorted(visit_parts())


def test_every_limit_of_an_organisation_has_its_row() -> None:
    assert list(limits()) == [field.name for field in msgspec.structs.fields(Policy)]
