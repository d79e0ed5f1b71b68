"""Defines what a check and its outcome are, and prints outcomes.

A fault has three parts: the sent message, the rule of PROTOCOL.md, and the received message. Private tokens are
shortened before they are printed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from web.peers.errors import ViolationError


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one check.

    `room`: the group of the check; `section`: the section of PROTOCOL.md. `fault`: None if the check passed or
    could not be decided; `undecided`: the reason why it could not be decided. `tried`: True if the credentials
    included all the people whom the check needs.
    """

    room: str
    name: str
    section: str
    fault: ViolationError | None = None
    undecided: str = ""
    tried: bool = True

    @property
    def word(self) -> str:
        """The outcome as a word: `kept`, `wrong`, `not told` (undecided) or `not tried`."""
        if not self.tried:
            return "not tried"
        return "wrong" if self.fault is not None else "not told" if self.undecided else "kept"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a server. `run` raises ViolationError or UntestableError.

    `room`: the group of the check, such as "resume"; `section`: the section of PROTOCOL.md. `waits`: True if the check
    mostly waits, and so may run at the same time as other checks.
    """

    room: str
    name: str
    section: str
    run: Callable[[Any], Awaitable[None]]
    waits: bool = False
    slow: bool = False
    codecs: bool = False


CHECKS: list[Check] = []


def check(
    room: str, name: str, section: str, *, waits: bool = False, slow: bool = False, codecs: bool = False
) -> Callable[[Callable[[Any], Awaitable[None]]], Callable[[Any], Awaitable[None]]]:
    """Return a decorator that adds a function to the checks of a server.

    `room`: the group of the check, such as "resume"; `name`: the rule in words; `section`: the section of
    PROTOCOL.md; `waits`: True if the check mostly waits; `slow`: True if it takes half a minute; `codecs`:
    True if it must run in each codec.
    """

    def put(run: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        CHECKS.append(Check(room, name, section, run, waits, slow, codecs))
        return run

    return put


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a plain map, for a JSON file."""
    return {
        "room": outcome.room,
        "check": outcome.name,
        "section": f"PROTOCOL.md#{outcome.section}",
        "result": outcome.word,
        "sent": outcome.fault.sent if outcome.fault else "",
        "expected": outcome.fault.expected if outcome.fault else "",
        "got": outcome.fault.got if outcome.fault else "",
        "why": outcome.undecided,
    }


STYLES: Final = {"kept": "green", "wrong": "bold red", "not told": "yellow", "not tried": "yellow"}


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print one outcome as a line, as soon as its check is done."""
    style = STYLES[outcome.word]
    name = escape(f"{outcome.room}: {outcome.name} (PROTOCOL.md#{outcome.section})")
    console.print(f"[{style}]{outcome.word:<9}[/] {name}", soft_wrap=True)


def print_table(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print the outcomes of all checks as a table."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "check", "PROTOCOL.md"):
        table.add_column(title, overflow="fold")
    for outcome in outcomes:
        style = STYLES[outcome.word]
        name = escape(f"{outcome.room}: {outcome.name}")
        table.add_row(f"[{style}]{outcome.word}[/]", name, f"#{outcome.section}")
    console.print(table)


def print_totals(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print each fault, each check that could not be decided, and the number of checks with each outcome.

    A fault is printed with the sent, the expected and the received message.
    """
    for outcome in outcomes:
        if outcome.word not in ("wrong", "not told"):
            continue
        console.print(
            f"\n[{STYLES[outcome.word]}]{outcome.word}[/] {escape(outcome.name)} (PROTOCOL.md#{outcome.section})"
        )
        for word, text in _lines(outcome):
            console.print(f"  {word:>8}  {escape(text)}", soft_wrap=True)
    for why in dict.fromkeys(outcome.undecided for outcome in outcomes if not outcome.tried):
        number = sum(outcome.undecided == why for outcome in outcomes)
        what = "1 check" if number == 1 else f"{number} checks"
        console.print(
            f"\n[{STYLES['not tried']}]not tried: {escape(why)}[/] ({what}); name one in the credentials",
            soft_wrap=True,
        )
    count = {word: sum(outcome.word == word for outcome in outcomes) for word in STYLES}
    totals = [f"{count[word]} {word}" for word in STYLES if count[word] or word != "not tried"]
    console.print(f"\n{', '.join(totals)}.")


def _lines(outcome: Outcome) -> list[tuple[str, str]]:
    if outcome.fault is None:
        return [("because", outcome.undecided)]
    fault = outcome.fault
    return [(w, t) for w, t in (("sent", fault.sent), ("expected", fault.expected), ("got", fault.got)) if t]
