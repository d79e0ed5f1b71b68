"""Tests that the table of commands in PROTOCOL.md has the statuses and outcomes of the visit's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalling.visit.effects import was_held
from signalling.visit.record import HELD, Status
from signalling.visit.rules import RULES

DOCUMENT = Path(__file__).parents[3] / "signalling/protocol/PROTOCOL.md"
RENAMED = {"tag": "SetTags", "survey": "AnswerSurvey", "urgency": "SetUrgency"}
"""Name of a command on the wire -> the name of its class, if it is another one."""


def cells() -> Iterator[tuple[str, str, str]]:
    """Yield (name of the command's class, cell of its statuses, cell of what it becomes) for each row and command."""
    section = DOCUMENT.read_text("utf-8").split("\n## Commands\n")[1].split("\n### ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            names, _, statuses, becomes = (cell.strip() for cell in line.strip("|").split("|"))
            for name in re.findall(r"`visit\.(\w+)`", names):
                yield RENAMED.get(name, name.title().replace("_", "")), statuses, becomes


def named(cell: str) -> set[str]:
    """Return the statuses that a cell names: those in backticks outside of brackets, or all others ("any but")."""
    found = set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", cell)))
    return {*map(str, Status)} - found if cell.startswith("any but") else found


def outcomes(cell: str) -> set[str]:
    """Return the outcomes that a cell names in brackets."""
    return set(re.findall(r"`(\w+)`", "".join(re.findall(r"\(.*?\)", cell))))


COMMANDS = sorted({name for name, _, _ in cells()})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_table_has_the_statuses_of_its_rules(command: str) -> None:
    rules = [rule for rule in RULES if rule.command.__name__ == command]
    rows = [(statuses, becomes) for name, statuses, becomes in cells() if name == command]
    assert set().union(*(named(statuses) for statuses, _ in rows)) == {
        str(status) for rule in rules for status in rule.statuses
    }
    assert set().union(*(named(becomes) or {"same"} for _, becomes in rows)) == {
        str(rule.becomes or "same") for rule in rules
    }


def test_only_visits_that_took_place_are_reopened_and_rated_and_the_table_says_so() -> None:
    held = {rule.command.__name__ for rule in RULES if rule.when is was_held}
    found = {name: outcomes(statuses) for name, statuses, _ in cells() if outcomes(statuses)}
    assert found == {name: {*map(str, HELD)} for name in held}


def test_every_command_of_a_visit_that_has_a_message_is_in_the_table() -> None:
    others = {
        "Open",
        "AddPhoto",
        "RemovePhoto",
        "Write",
        "AgreeToContact",
        "RecordContact",
        "Escalate",
        "RecordUnreached",
    }
    assert {rule.command.__name__ for rule in RULES} - others == set(COMMANDS)
