"""Tests that each log event has a constant name of the form `area.event`, and that documents name only events that
exist.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

import pytest

from tests.test_architecture import PACKAGES, ROOT, sources

NAME = re.compile(r"[a-z_]+(\.[a-z_]+)+")
LEVELS = frozenset("debug info warning error exception critical".split())


def loggers(tree: ast.Module) -> set[str]:
    """Return the names of the variables in which a module keeps a logger."""
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        and re.search(r"\bget_?[lL]ogger$", ast.unparse(node.value.func))
        for target in node.targets
        if isinstance(target, ast.Name)
    }  # fmt: skip


def events(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, event) for each call of a module's logger. If the event is no constant, yield the code of the
    argument.
    """
    tree = ast.parse(source)
    names = loggers(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id in names:
            method = node.func.attr
            if method in LEVELS or method == "log":
                given = node.args[1 if method == "log" else 0]
                if isinstance(given, ast.Constant) and isinstance(given.value, str):
                    yield node.lineno, given.value
                else:
                    yield node.lineno, f"<{ast.unparse(given)}>"


@functools.cache
def found() -> dict[str, str]:
    """Return the place of each call of a logger -> its event."""
    return {
        f"{path.relative_to(ROOT)}:{line}": event
        for package in PACKAGES
        for path in sources(package)
        for line, event in events(path.read_text("utf-8"))
    }


def test_every_event_has_a_constant_name_of_an_area_and_an_event() -> None:
    wrong = [f"{place} {event}" for place, event in found().items() if not NAME.fullmatch(event)]
    assert not wrong, "\n".join(wrong)
    assert len(found()) > 50


@pytest.mark.parametrize(
    "call", ['log.info("jobs wait")', "log.error(text)", 'log.log(10, "request")', 'log.debug(f"a.{b}")']
)
def test_a_log_event_without_a_constant_name_of_this_form_is_found(call: str) -> None:
    [(_, event)] = events(f"log = structlog.get_logger()\n{call}")
    assert not NAME.fullmatch(event)


def test_every_event_that_is_documented_is_logged() -> None:
    text = (ROOT / "docs/OPERATIONS.md").read_text("utf-8")
    table = text.partition("| event | meaning | what to do |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))
    assert documented
    assert documented <= {*found().values(), "logs.lost"}


def test_every_event_that_is_logged_has_a_row_in_the_document() -> None:
    logs = (ROOT / "docs/OPERATIONS.md").read_text("utf-8").split("## Logs")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", logs, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert {*found().values(), "logs.lost"} - documented == set()
    assert documented - {*found().values(), "logs.lost"} == set()
