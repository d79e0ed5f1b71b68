"""Publishes results: keeps the files of one run in the tests' folder, and makes the README's table from them.

This module works in a checkout only, because an installed Greenroom has neither tests nor README.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from tests.benchmarks import history, visit_tables
from tests.benchmarks.figures import Comparison, Figure, Report
from tests.benchmarks.tables import document, picture, placed, readme
from web.errors import ConfigError

T = TypeVar("T", Figure, Comparison)

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "benchmarks"
RESULTS, PAGE, CURVE = FOLDER / "results.json", FOLDER / "results.md", FOLDER / "waiting.svg"
VISITS, FLAME = FOLDER / "visits.svg", FOLDER / "visits-flame.svg"
HISTORY, MISSES = FOLDER / "history.jsonl", FOLDER / "misses.toml"
TREND = ROOT / "docs" / "BENCHMARKS.md"
README = ROOT / "README.md"


def publish(report: Report, whole: bool = True) -> None:
    """Keep `report` as the published run, and write the README's table from it. Raises ConfigError outside of a
    checkout.

    If the run has only some measurements (not `whole`), only these are replaced in the published run.
    """
    refuse_outside()
    if report.flame:
        # The flame graph has its own file. A later run without a flame graph keeps this file.
        FLAME.write_text(report.flame, "utf-8")
        report = msgspec.structs.replace(report, flame="")
    RESULTS.write_bytes(encoded(report if whole else joined(published(), report)))
    history.remember(HISTORY, history.entry_of(report))
    write_tables()


def joined(before: Report, newer: Report) -> Report:
    """Return the published run `before`; measurements that the `newer` run has replace those of `before`.

    The field `parts` of the result has both runs. A run with the same command as the newer run is left out.
    """
    earlier = [part for part in before.parts or [before.part] if part.command != newer.command]
    return msgspec.structs.replace(
        before,
        parts=[*earlier, newer.part],
        took_s=before.took_s + newer.took_s,
        figures=_renewed(before.figures, newer.figures),
        comparisons=_renewed(before.comparisons, newer.comparisons),
        curve=newer.curve or before.curve,
        loads=newer.loads or before.loads,
        calls=newer.calls or before.calls,
        waits=newer.waits or before.waits,
        skipped=newer.skipped,
    )


def _renewed(before: list[T], newer: list[T]) -> list[T]:
    found = {one.id: one for one in newer}
    return [found.pop(one.id, one) for one in before] + list(found.values())


def encoded(report: Report) -> bytes:
    """Return the benchmark's report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"


def published() -> Report:
    """Return the published run. Raises ConfigError if its file does not exist or cannot be read."""
    try:
        return msgspec.json.decode(RESULTS.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        raise ConfigError(
            f"bench: {RESULTS} holds no results; make bench ARGS=--publish writes them"
        ) from None


def table() -> str:
    """Return the README's table of the published run."""
    return readme(published(), str(PAGE.relative_to(ROOT)))


def write_tables() -> None:
    """Write the page of results, its pictures, docs/BENCHMARKS.md and the README's table from the published run.

    Raises ConfigError if there is no published run.
    """
    refuse_outside()
    report = published()
    if report.curve:
        CURVE.write_text(picture(report.curve), "utf-8")
    if report.loads:
        VISITS.write_text(visit_tables.picture(report.loads), "utf-8")
    PAGE.write_text(page(report), "utf-8")
    TREND.write_text(trend(report), "utf-8")
    try:
        README.write_text(placed(README.read_text("utf-8"), table()), "utf-8")
    except ValueError as problem:
        raise ConfigError(f"bench: {problem}") from None


def trend(report: Report) -> str:
    """Return the text of docs/BENCHMARKS.md, whose newest run is the published run `report`."""
    return history.page(history.read(HISTORY), report, history.read_misses(MISSES))


def page(report: Report) -> str:
    """Return the text of the page of results of the run `report`.

    The page shows the pictures in its folder.
    """
    pictures = [(VISITS.name, report.loads), (FLAME.name, report.loads and FLAME.is_file())]
    visits = [name for name, shown in pictures if shown]
    return document(report, CURVE.name if report.curve else None, visits)


def refuse_outside() -> None:
    """Raise ConfigError if there is no checkout to write results into."""
    if not FOLDER.is_dir() or not README.is_file():
        raise ConfigError("bench: --publish expects a checkout, with its tests and its README")
