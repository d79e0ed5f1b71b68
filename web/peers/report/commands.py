"""Defines two commands: `greenroom peers compare` compares two runs, `greenroom peers report` makes a report.

Both read the observations that runs have written to files.

The other modules of this folder define the contents of a report.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from web.peers.run.observations import Observations

BROKEN = 1
"""The exit code if a threshold is broken, or if a figure got worse and --fail-on-worse is given."""
UNUSABLE = 2
"""The exit code if an argument or a file cannot be used."""

Run = Annotated[
    Path, typer.Argument(help="The folder of a report, or its observations.jsonl.", show_default=False)
]
FailIf = Annotated[
    list[str] | None,
    typer.Option("--fail-if", help="Exit 1 if this is so, as in pulled_in.p99>5ms; may be repeated."),
]


def attach(app: typer.Typer) -> None:
    """Add the commands `compare` and `report` to the command group `greenroom peers`."""
    app.command("compare")(compare)
    app.command("report")(report)


def compare(
    before: Run,
    after: Run,
    html: Annotated[Path | None, typer.Option(help="Write the comparison to this page.")] = None,
    margin: Annotated[
        float, typer.Option(min=0, max=50, help="Percent within which a figure is about the same.")
    ] = 10,
    confidence: Annotated[
        float, typer.Option(min=50, max=99.9, help="Percent of certainty before a change is called one.")
    ] = 99,
    fail_on_worse: Annotated[
        bool, typer.Option("--fail-on-worse", help="Exit 1 if anything got worse.")
    ] = False,
) -> None:
    """Print which figures improved, got worse, or cannot be compared, from one run to another."""
    from web.peers.errors import ObservationsError
    from web.peers.report import comparing
    from web.peers.report.compare_page import comparison_page, comparison_text
    from web.peers.report.writing import read

    try:
        first, second = read(before), read(after)
    except ObservationsError as problem:
        refuse(str(problem))
    found = comparing.compare(first, second, margin=margin / 100, confidence=confidence / 100)
    names = before.name or str(before), after.name or str(after)
    typer.echo(comparison_text(found, names), nl=False)
    if html is not None:
        try:
            html.write_text(comparison_page(found, first, second, names), "utf-8")
        except OSError as problem:
            refuse(f"{html}: {problem.strerror or problem}")
    if fail_on_worse and (worse := found.count(comparing.WORSE)):
        _say(f"{worse} figure{'s' if worse > 1 else ''} got worse")
        raise typer.Exit(BROKEN)


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of reports, or files of observations.", show_default=False)
    ],
    into: Annotated[Path, typer.Option(help="The folder to write the report to.")] = Path("report"),
    fail_if: FailIf = None,
) -> None:
    """Make one report from the observations of several machines, or a new report from those of one machine."""
    from web.peers.errors import ObservationsError, ThresholdError
    from web.peers.report.writing import read, write
    from web.peers.run.observations import Observations

    try:
        seen = Observations.merge([read(run) for run in runs])
        page = write(seen, into, fail_if or ())
    except (ObservationsError, ThresholdError) as problem:
        refuse(str(problem))
    except OSError as problem:
        refuse(f"{into}: {problem.strerror or problem}")
    typer.echo(f"The report is {page}.")
    if fail_if and not holds(seen, fail_if):
        raise typer.Exit(BROKEN)


def holds(seen: Observations, thresholds: list[str]) -> bool:
    """Return whether a run keeps all thresholds; print the broken thresholds in one line.

    `seen`: the observations of the run. Raises ThresholdError if a threshold is not valid.
    """
    from web.peers.report.thresholds import judge

    broken = judge(seen, thresholds)
    if broken:
        _say(f"broken: {'; '.join(broken)}")
    return not broken


def refuse(sentence: str) -> NoReturn:
    """Print a sentence about an argument or a file that cannot be used, and exit with the code UNUSABLE."""
    _say(sentence)
    raise typer.Exit(UNUSABLE)


def _say(sentence: str) -> None:
    print(f"greenroom peers: {sentence}", file=sys.stderr)  # noqa: T201
