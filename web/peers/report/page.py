"""Makes the HTML report of a run: converts the figures to the values that the template shows.

The page contains its style and loads no other file. Only the page of a run in progress contains a script, which
renews the page; the page of a finished run contains none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from web.peers.report.figures import Figures, total_errors
from web.peers.report.notes import notes
from web.peers.report.plots import (
    Curve,
    Plot,
    curves_plot,
    histogram_plot,
    over_time_plot,
    strips,
    with_faults,
)
from web.peers.report.thresholds import Verdict
from web.peers.report.units import BYTES, COUNT, RATE, SHARE, TIME, gauge_kind, number, written
from web.peers.report.words import GAUGES, step_words

HERE = Path(__file__).parent
STYLES = ("report.css", "plots.css")
KINDS = ("one", "two", "three", "four")


def report_page(found: Figures, verdicts: list[Verdict], *, live: bool = False) -> str:
    """Return the page of one run as HTML. `verdicts`: the results of the thresholds.

    `live`: True while the run goes on; the page then renews itself.
    """
    marks, ticks = strips(found.steps.values())
    steps = [
        {
            "id": name,
            "words": step_words(name),
            "figures": one,
            "strip": strip,
            "histogram": histogram_plot(step_words(name).name, one),
            "over_time": with_faults(
                over_time_plot(step_words(name).name, one.over_time, found.width_s, found.duration_s),
                found.faults,
                found.duration_s,
            ),
        }
        for (name, one), strip in zip(found.steps.items(), marks, strict=True)
        if one.count
    ]
    return draw(
        "report.html",
        found=found,
        verdicts=verdicts,
        steps=steps,
        strip_ticks=ticks,
        cards=cards(found),
        plots=[
            (heading, meaning, with_faults(plot, found.faults, found.duration_s))
            for heading, meaning, plot in run_plots(found)
        ],
        errors=total_errors(found.errors.values()),
        notes=[] if live else notes(found),
        live=live,
    )


def cards(found: Figures) -> list[tuple[str, str, str]]:
    """Return the most important figures, each as (name, value, small text beside it)."""
    made = [
        (
            "Visits a second",
            written(found.throughput_per_s, RATE),
            f"{number(found.people.done)} whole visits",
        )
    ]
    for name in ("queue_seen", "pulled_in", "first_frame"):
        one = found.steps.get(name)
        if one is not None and one.count:
            made.append(
                (step_words(name).name, written(one.p99_s, TIME), f"p99; p50 is {written(one.p50_s, TIME)}")
            )
    total = total_errors(found.errors.values())
    kinds = len(found.errors)
    made.append(("Errors", number(total), f"of {kinds} kind{'s' if kinds > 1 else ''}" if total else ""))
    if found.server_cpu_per_visit_s is not None:
        peak = found.gauges["server_cpu"].max
        made.append(
            (
                "Server CPU a visit",
                written(found.server_cpu_per_visit_s, TIME),
                f"peak {written(peak, SHARE)} of a core",
            )
        )
    return made


def run_plots(found: Figures) -> list[tuple[str, str, Plot]]:
    """Return the plots of the whole run, each as (heading, description, plot)."""
    width_s = found.width_s
    middles = [(number_ + 0.5) * width_s for number_ in range(len(found.arrivals))]
    # The last period may be shorter than the other periods, because it ends with the run.
    widths = [max(min(width_s, found.duration_s - at + width_s / 2), width_s / 10) for at in middles]
    arriving = [value / width for value, width in zip(found.arrivals, widths, strict=True)]
    leaving = [value / width for value, width in zip(found.departures, widths, strict=True)]
    zones = [
        (
            at - width_s / 2,
            at + width_s / 2,
            f"{number(at - width_s / 2)} s: {a:.1f} arrive, {d:.1f} are done a second",
        )
        for at, a, d in zip(middles, arriving, leaving, strict=True)
    ]
    rates = [
        Curve("one", "arrive", list(zip(middles, arriving, strict=True))),
        Curve("two", "are done", list(zip(middles, leaving, strict=True))),
    ]
    made = [("People a second", "", curves_plot("People a second", rates, RATE, found.duration_s, zones))]
    groups = (
        ("Where the patients are", "", ("waiting", "in_call"), COUNT),
        ("CPU", "100% is one core", ("server_cpu", "store_cpu", "driver_cpu", "machine_cpu"), SHARE),
        ("Memory", "resident", ("server_rss", "store_rss"), BYTES),
        ("Driver's delay", "how late its loop turns", ("driver_lag",), TIME),
    )
    for heading, meaning, names, kind in groups:
        curves = [
            Curve(css, GAUGES[name], found.gauges[name].over_time)
            for css, name in zip(KINDS, names, strict=False)
            if name in found.gauges
        ]
        if curves:
            made.append((heading, meaning, curves_plot(heading, curves, kind, found.duration_s)))
    for name, one in found.gauges.items():
        if name not in GAUGES:
            curve = Curve("one", name.replace("_", " "), one.over_time)
            made.append(
                (
                    curve.name.capitalize(),
                    "",
                    curves_plot(curve.name, [curve], gauge_kind(name), found.duration_s),
                )
            )
    if found.errors:
        failing = [value / width for value, width in zip(found.failures, widths, strict=True)]
        curve = Curve("bad", "errors", list(zip(middles, failing, strict=True)))
        made.append(("Errors a second", "", curves_plot("Errors a second", [curve], RATE, found.duration_s)))
    return made


def draw(template: str, **context: Any) -> str:
    """Fill a template of this folder with values, and with the styles of all report pages; return the HTML."""
    style = markupsafe.Markup("".join((HERE / name).read_text("utf-8") for name in STYLES))  # noqa: S704 - own files
    return _environment().get_template(template).render(style=style, **context)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["time"] = lambda value: written(value, TIME)
    environment.filters["number"] = number
    environment.filters["share"] = lambda value: written(value, SHARE)
    return environment
