"""Makes the comparison of two runs as an HTML page, and with the same content as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator

from web.peers.report.comparing import BETTER, SAME, UNDECIDED, WORSE, Change, Comparison
from web.peers.report.page import draw
from web.peers.report.plots import STRIP, Plot, intervals, share_plot
from web.peers.report.units import number, written
from web.peers.report.words import step_words
from web.peers.run.observations import Observations

ORDER = (WORSE, BETTER, SAME, UNDECIDED)


def comparison_page(
    comparison: Comparison, before: Observations, after: Observations, names: tuple[str, str]
) -> str:
    """Return the page of a comparison as HTML.

    `before` and `after`: the observations of both runs; `names`: the names of the two runs.
    """
    compared = [change for change in comparison.changes if not math.isnan(change.low)]
    band = (1 - comparison.margin, 1.0, 1 + comparison.margin)
    strips, ticks = intervals([band, *((change.low, change.ratio, change.high) for change in compared)])
    strip = {id(change): one for change, one in zip(compared, strips[1:], strict=True)}
    before_it = [None, *comparison.changes]
    rows = [
        {
            "first": previous is not None and change.name != previous.name,
            "name": _name(change),
            "before": written(change.before, change.kind),
            "after": written(change.after, change.kind),
            "range": _range(change),
            "strip": strip.get(id(change)),
            "verdict": change.verdict,
            "css": change.verdict if change.verdict in (BETTER, WORSE) else "",
        }
        for previous, change in zip(before_it, comparison.changes, strict=False)
    ]
    plots: list[tuple[str, Plot]] = []
    for name in dict.fromkeys(change.name for change in comparison.changes):
        if name in before.steps and name in after.steps:
            curves = [
                (css, when, sorted(seen.steps[name].values))
                for css, when, seen in (("two", "before", before), ("one", "after", after))
            ]
            words = step_words(name).name
            plots.append((words, share_plot(f"{words}: which share took at most how long", curves)))
    return draw(
        "compare.html",
        comparison=comparison,
        names=names,
        rows=rows,
        plots=plots,
        band=strips[0],
        ticks=ticks,
        middle=STRIP / 2,
        told=headline(comparison),
        runs=((names[0], comparison.before), (names[1], comparison.after)),
    )


def headline(comparison: Comparison) -> str:
    """Return the numbers of changes in words: `2 worse, 1 better, 10 about the same, 14 cannot be told`."""
    counted = ((comparison.count(verdict), verdict) for verdict in ORDER)
    return ", ".join(f"{count} {verdict}" for count, verdict in counted if count)


def comparison_text(comparison: Comparison, names: tuple[str, str]) -> str:
    """Return the comparison as plain text, with the figures that got worse first. `names`: the names of both runs."""
    return "\n".join(_lines(comparison, names)) + "\n"


def _lines(comparison: Comparison, names: tuple[str, str]) -> Iterator[str]:
    yield f"{names[0]} → {names[1]}: {headline(comparison)}"
    for name, was, now in comparison.differs:
        yield f"  not the same: {name}: {was} → {now}"
    for verdict in ORDER:
        chosen = [change for change in comparison.changes if change.verdict == verdict]
        if chosen:
            yield ""
            yield f"{verdict}:"
        for change in chosen:
            values = f"{written(change.before, change.kind)} → {written(change.after, change.kind)}"
            yield f"  {_name(change):<26} {values:<24} {_range(change)}".rstrip()


def _name(change: Change) -> str:
    name = (
        change.name if change.name in ("throughput", "errors", "server CPU") else step_words(change.name).name
    )
    return f"{name} {change.what}".strip()


def _range(change: Change) -> str:
    if change.why and math.isnan(change.low):
        return change.why
    return f"× {number(change.ratio)} ({number(change.low)} to {number(change.high)})"
