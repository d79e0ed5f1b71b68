"""Makes the tables of docs/VISIT.md from the visit's rules, rights and limits."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, get_type_hints

from signalling.topics.rights import OF_STAFF, OF_VISITS
from signalling.visit.record import Policy, Status
from signalling.visit.rules import DEADLINES, DONE_BEFORE, RULES, Rule

_REFUSED = re.compile(r'Refusal\("(\w+)"')


def parts() -> dict[str, str]:
    """Return the parts of docs/VISIT.md that this file generates: name of a part -> its text."""
    return {
        "states": _states(),
        "commands": _commands(),
        "deadlines": _deadlines(),
        "repeats": _repeats(),
        "topics": _topics(),
        "limits": _limits(),
    }


def limits() -> dict[str, str]:
    """Return each limit of `Policy` with its description."""
    hints = get_type_hints(Policy, include_extras=True)
    return {name: hint.__metadata__[0].description for name, hint in hints.items()}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _states() -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for rule in RULES:
        for before in rule.statuses or ("[*]",):
            if rule.becomes is not None:
                arrows.setdefault((str(before), str(rule.becomes)), []).append(rule.command.__name__)
    for row in DEADLINES:
        for before in row.statuses:
            if row.becomes is not None:
                arrows.setdefault((str(before), str(row.becomes)), []).append(f"({row.event})")
    lines = [
        f"    {before} --> {after}: {', '.join(dict.fromkeys(names))}"
        for (before, after), names in arrows.items()
        if before != after
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _asked(rule: Rule) -> str:
    """Return as text the error codes with which the guards (further conditions) of a rule refuse."""
    codes = [code for guard in rule.guards for code in _REFUSED.findall(inspect.getsource(guard))]
    return ", ".join(f"`{code}`" for code in dict.fromkeys(codes))


def _commands() -> str:
    rows = []
    for rule in RULES:
        when = f", when {rule.when.__name__.replace('_', ' ')}" if rule.when else ""
        rows.append(
            (
                f"`{rule.command.__name__}`",
                (inspect.getdoc(rule.command) or "").partition("\n\n")[0].replace("\n", " "),
                ", ".join(rule.by),
                (", ".join(rule.statuses) or "-") + when,
                f"**{rule.becomes}**" if rule.becomes else "same",
                f"`{rule.event}`",
                _asked(rule),
            )
        )
    return _table(("command", "meaning", "by", "in status", "becomes", "event", "may be refused with"), rows)


def _deadlines() -> str:
    return _table(
        ("in status", "event", "becomes"),
        (
            (", ".join(d.statuses), f"`{d.event}`", f"**{d.becomes}**" if d.becomes else "same")
            for d in DEADLINES
        ),
    )


def _repeats() -> str:
    return _table(
        ("command", "by", "where the visit is already"),
        (
            (
                f"`{row.command.__name__}`",
                ", ".join(row.by),
                ", ".join(row.statuses) + (f" ({', '.join(row.outcomes)})" if row.outcomes else ""),
            )
            for row in DONE_BEFORE
        ),
    )


def _topics() -> str:
    def who(known: frozenset[str]) -> str:
        return ", ".join(sorted(known)) or "nobody"

    of_visits = [
        (f"`{topic}/{{visit}}`", *(who(seen[status]) for status in Status))
        for topic, seen in OF_VISITS.items()
    ]
    of_staff = ", ".join(f"`{topic}`" for topic in OF_STAFF)
    return _table(("topic", *map(str, Status)), of_visits) + f"\n\nTopics of all staff: {of_staff}."


def _limits() -> str:
    def said(name: str, value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return value or "none"
        if isinstance(value, tuple):
            return ", ".join(value) or "none"
        if not name.endswith("_ms"):
            return f"{value:,}"
        return f"{value / 60_000:g} min" if value >= 60_000 else f"{value / 1000:g} s"

    default = Policy()
    return _table(
        ("limit", "default", "meaning"),
        ((f"`{name}`", said(name, getattr(default, name)), meaning) for name, meaning in limits().items()),
    )
