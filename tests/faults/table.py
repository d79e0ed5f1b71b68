"""The table of `make faults` as Markdown: each figure against its bound, then each test with its result."""

from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure, of row "R22" of docs/RELIABILITY.md or "S30" of docs/SECURITY.md; `at_most` is in `unit`."""

    row: str
    what: str
    value: float
    unit: str
    at_most: float
    test: str


def markdown(figures: Iterable[Figure], tests: Iterable[tuple[str, bool, float]], when: str) -> str:
    """Return the table; `tests` are (name, passed, duration in seconds)."""
    lines = [
        "# Faults: what was broken, and what was measured",
        "",
        f"Written by `make faults` on {when}.",
        "",
        "| row | figure | measured | at most | |",
        "|---|---|---:|---:|---|",
    ]
    for figure in sorted(figures, key=lambda figure: (figure.row[:1], _number(figure.row))):
        held = "ok" if figure.value <= figure.at_most else "MISS"
        value, bound = _with_unit(figure.value, figure.unit), _with_unit(figure.at_most, figure.unit)
        lines.append(f"| {figure.row} | {figure.what} | {value} | {bound} | {held} |")
    lines += ["", "| test | seconds | |", "|---|---:|---|"]
    for name, passed, seconds in sorted(tests):
        lines.append(f"| {name} | {seconds:.1f} | {'ok' if passed else 'FAILED'} |")
    return "\n".join(lines) + "\n"


def _number(row: str) -> int:
    digits = "".join(filter(str.isdigit, row))
    return int(digits) if digits else 0


def _with_unit(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".strip()
