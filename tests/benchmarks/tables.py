"""Formats a report for people: Markdown tables, and a plot of the figures by number of waiting patients. Does no I/O.

The page of results and the README's table are made from the same report, so that they agree.
"""

import math
from collections.abc import Sequence

from tests.benchmarks import visit_tables
from tests.benchmarks.figures import (
    CallFigure,
    Calls,
    Comparison,
    Figure,
    Point,
    Report,
    Value,
    Wait,
    written,
)

BEGIN, END = (
    "<!-- benchmark table: made by `make bench ARGS=--publish` -->",
    "<!-- end of the benchmark table -->",
)

HEADLINES = (
    "claim_p99_ms",
    "waiting_p99_ms",
    "fanout_us",
    "idle_kb",
    "relay_us",
    "second_press_to_first_frame_ms",
)
"""The ids of the figures that the README shows."""

DIFFERENCES = """\
What is alike: two worker processes each behind a store of its own (the same Valkey, on a unix socket), the same
clients (raw sockets in a process of their own), the same row of On-Demand Requests as JSON, no compression,
heartbeats too rare to matter. All servers stand side by side, and each phase is played on one after the other, round
after round, each round beginning with another. CPU is that of all threads of all workers; the store's is shown apart.
A ratio is the median over the rounds of theirs to ours in the same round.

What differs, and for whom:

- Ours does the product's work: each row is a patient's answer that is checked, decided on, encrypted, kept on disk
  with its history, numbered and sent without a gap. The others publish and keep nothing. That is in our figures.
- Ours joins what falls into 10 ms into one write; the first goes at once. Nothing else of the kind is in the others.
- The others' workers have a port each, with as many clients on each; ours share one port, and the kernel deals them
  out.
- python-socketio runs on uvicorn with uvloop and httptools, which was its fastest way here; socket.io and ws have
  `bufferutil`. `ws` is the bare library with Redis pub/sub around it, for reference.
- Of the two ways between sockets, a line of the chat is kept before it is seen, and the report that a microphone is
  missing is only passed on. The others only pass on. Everybody tells the sender:
  ours from the worker that has the room, which is the sender's own for half of the pairs, once it is done; the others
  by socket.io's acknowledgement, from the sender's own worker, as soon as they have passed it on.
- In the claim race the others set a key where there is none, and tell one room.
- Before memory is looked at, the others are told to collect their garbage; ours is not.
- Janus runs its videocall plugin, which forwards between two people as our relay does, with one thread for each call
  (its default). Its parties are connected when the callee accepts; ours are before they press.
- mediasoup runs one worker, as ours does, and its own Node beside it; both processes count. It is its version 3.8.4,
  the newest whose package has all sources of the worker, so that anybody can build it. Its parties are connected before
  the press, as ours are, with what they receive paused; the press resumes it.
- The first picture is the first packet of a keyframe that arrives. Whoever gets a picture that cannot be decoded asks
  for a keyframe at once, and whoever is asked sends one with the next frame, with all servers alike.
- aiortc's MediaRelay decodes and encodes, so it is sent real VP8 and Opus of the same sizes and rates, and as few
  calls as it manages; its delay is not measured, for its packets are not those that were sent.
"""


def document(report: Report, curve: str | None = None, visits: Sequence[str] = ()) -> str:
    """Return the report as a Markdown document.

    `curve`: the path of the plot by number of waiting patients, or None. `visits`: the paths of the plot of
    whole visits and of the flame graph; a picture that does not exist is left out.
    """
    machine = report.machine
    several = "The figures come from these runs; a later run has replaced figures of the earlier ones:"
    lines = ["# Benchmark", ""]
    lines += [several, "", *(f"- {part}" for part in report.parts), ""] if report.parts else []
    lines += [
        f"{report.part}, {report.took_s:.0f} s; our own figures are the median of {report.runs}.  "
        if not report.parts
        else f"{report.took_s:.0f} s in all; our own figures are the median of {report.runs}. The first run had:  ",
        f"{machine.system}; load average {machine.load[0]:.1f} before, {machine.load[1]:.1f} after.  ",
        ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        "",
    ]
    if report.figures:
        lines += ["## Our own", "", *_figures(report.figures), ""]
    for title, group in _groups(report.comparisons):
        lines += [f"## {title}", "", *_comparisons(group), ""]
    if report.curve:
        lines += ["## Waiting patients on one worker", "", *_curve(report.curve), ""]
        lines += [f"![What a claim takes as more patients wait]({curve})", ""] if curve else []
    if report.loads:
        lines += ["## Whole visits", "", *visit_tables.table(report.loads), ""]
        lines += [f"![{visit_tables.PICTURES[name]}]({name})" for name in visits] + [""] * bool(visits)
    if report.calls:
        lines += ["## Calls on bad networks", "", *_calls(report.calls), ""]
    if report.waits:
        lines += ["## How long people wait", "", *_waits(report.waits), ""]
    lines += [f"Not measured: {skipped.name} ({skipped.why})." for skipped in report.skipped]
    if report.comparisons:
        lines += ["", "## How it was compared", "", DIFFERENCES]
    return "\n".join(lines).rstrip() + "\n"


def readme(report: Report, results: str) -> str:
    """Return the README's part about the benchmark: the figures of HEADLINES, and a link to all others.

    `results`: the path of the page of results.
    """
    by_id = {figure.id: figure for figure in report.figures}
    lines = [BEGIN, "", *_figures([by_id[name] for name in HEADLINES if name in by_id]), ""]
    dates = [part.started for part in report.parts]
    runs = f"From {len(dates)} runs of `make bench`, {dates[0]} to {dates[-1]}" if dates else str(report.part)
    lines += [
        f"{runs}. [All figures, versions, comparisons, and what is alike and what differs]({results}).",
        "",
        END,
    ]
    return "\n".join(lines)


def placed(text: str, table: str) -> str:
    """Return `text`, the README, with `table` between its two markers. Raises ValueError if there are no markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the README has no markers for the benchmark table")
    return before + table + after


def _groups(comparisons: Sequence[Comparison]) -> list[tuple[str, list[Comparison]]]:
    """Return (title, its comparisons) for each set of servers that are compared. Each set gets its own table.

    The sets are in the order of their first comparisons.
    """
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(tuple(value.name for value in comparison.values), []).append(comparison)
    return [(f"Against {', '.join(names[1:])}", found) for names, found in groups.items()]


def _figures(figures: Sequence[Figure]) -> list[str]:
    lines = ["| figure | value | target | | note |", "|---|---:|---:|---|---|"]
    for figure in figures:
        target = "" if figure.target is None else f"≤ {written(figure.target)} {figure.unit}".rstrip()
        value = f"{written(figure.value)} {figure.unit}".rstrip()
        lines.append(f"| {figure.name} | {value} | {target} | {figure.verdict} | {figure.note} |")
    return lines


WAITED = (
    "patient behind",
    "Claim to the patient’s page painted",
    "second Start Session to the picture",
    "without a picture after the call’s worker was killed",
)
"""The column headings of the table of waits; `waited` returns a row of this table."""


def _waits(waits: Sequence[Wait]) -> list[str]:
    lines = [
        "Two people in Chromium, cameras of 640x480 with 20 pictures a second: the median and the longest, on the "
        "slower of both screens. The network is that of the patient: its round-trip time, and the share of packets "
        "that it loses in each direction, of the page's connection as of the media.",
        "",
        f"| {' | '.join(WAITED)} |",
        "|---|---:|---:|---:|",
    ]
    return lines + [f"| {' | '.join(waited(wait))} |" for wait in waits]


def waited(wait: Wait) -> list[str]:
    """Return the cells of a row about how long people waited in visits at one place."""
    kinds = (wait.claim, wait.start, wait.killed)
    return [wait.place, *("–" if kind is None else f"{kind[0]:,.0f} ms, {kind[1]:,.0f} ms" for kind in kinds)]


def _comparisons(comparisons: Sequence[Comparison]) -> list[str]:
    names = [value.name for value in comparisons[0].values]
    lines = [f"| | {' | '.join(names)} | note |", f"|---|{'---:|' * len(names)}---|"]
    for comparison in comparisons:
        cells = [cell(value, comparison.unit) for value in comparison.values]
        lines.append(f"| {comparison.name} | {' | '.join(cells)} | {comparison.note} |")
    return lines


def cell(value: Value, unit: str) -> str:
    """Return the text of a cell: a server's value in `unit`, and its ratio to our server's value.

    If the ratio has a target, the text is bold when the target is reached, and has "MISS" and the target
    otherwise.
    """
    said = f"{written(value.value)} {unit}".rstrip()
    if value.ratio is not None and math.isfinite(value.ratio):
        said += f" (×{written(value.ratio)})"
    if value.target is None:
        return said
    return f"{said} MISS ≥ ×{written(value.target)}" if value.missed else f"**{said}**"


def _curve(curve: Sequence[Point]) -> list[str]:
    lines = [
        "| waiting | pages open | the queue opens | claim to the patient’s page, p50 | p99 "
        "| CPU for a claim and its release |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for p in curve:
        values = (p.open_ms, p.claim_p50_ms, p.claim_p99_ms, p.claim_us / 1000)
        lines.append(
            f"| {p.waiting:,} | {p.pages:,} | {' | '.join(f'{written(value)} ms' for value in values)} |"
        )
    return lines


BUSY = " The machine had other work as well, so that pictures and sound of both kinds of call suffered."


def _calls(calls: Calls) -> list[str]:
    lines = [
        f"Two people in {calls.browser}, cameras of 640x480 with 20 pictures a second; load average "
        f"{calls.load[0]:.1f} before, {calls.load[1]:.1f} after ({calls.started}). The network is that of the patient, "
        "alike in both directions; each figure is that of the worse screen. Peer to peer: the same two browsers, "
        "through the same proxy, in the same run. The loss of 20 % has lasted for 20 s when it is measured."
        + (BUSY if calls.load[0] > 1 else ""),
        "",
        "| network of the patient | | Greenroom | peer to peer | goal | |",
        "|---|---|---:|---:|---:|---|",
    ]
    shown = ""
    for one in calls.figures:
        network = "" if one.network == shown else one.network
        shown = one.network
        direct = call_value(one.direct, one.unit) if one.compared else "–"
        verdict = "" if one.goal is None else "MISS" if one.missed else "HOLDS"
        ours = call_value(one.ours, one.unit)
        lines.append(f"| {network} | {one.figure} | {ours} | {direct} | {call_goal(one)} | {verdict} |")
    return lines


def call_value(value: float | None, unit: str) -> str:
    """Return a figure of a call as the table shows it, with its unit; "never" for None."""
    return "never" if value is None else f"{written(value)} {unit}".rstrip()


def call_goal(figure: CallFigure) -> str:
    """Return the goal of a figure of a call as the table shows it; "" if it has none."""
    goal = figure.goal
    if goal is None or goal.kind == "same":
        return "" if goal is None else "the same"
    return f"{'≤' if goal.kind == 'most' else '≥'} {written(goal.value)} {figure.unit}".rstrip()


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 56, 150, 24, 40
LINES = (
    ("claim_p50_ms", "claim, p50", "#1f6f5c", 1.0),
    ("claim_p99_ms", "claim, p99", "#b4552d", 1.0),
    ("claim_us", "CPU of a claim", "#3d5a99", 1e-3),
    ("open_ms", "the queue opens", "#7a7a7a", 1.0),
)
"""The lines of the plot, each as (field of `Point`, name, colour, factor from the field's unit to
milliseconds)."""


def picture(curve: Sequence[Point]) -> str:
    """Return `curve`, the figures by number of waiting patients, as an SVG picture with logarithmic axes.

    Points with open pages are left out, so that claims are the only load.
    """
    curve = [point for point in curve if not point.pages]
    values = [getattr(point, field) * scale for point in curve for field, _, _, scale in LINES]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    least, most = math.log10(curve[0].waiting), math.log10(curve[-1].waiting)

    def x(waiting: float) -> float:
        share = (math.log10(waiting) - least) / ((most - least) or 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(ms: float) -> float:
        share = (math.log10(ms) - low) / ((high - low) or 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>What opening the queue and a claim take, as more patients wait on one worker</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" stroke="#e2e2e2"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{10.0**power:g} ms</text>')
    for point in curve:
        at = x(point.waiting)
        parts.append(f'<text x="{at}" y="{HEIGHT - 18}" text-anchor="middle">{point.waiting:,}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">patients waiting</text>')
    lowest = -math.inf
    for field, name, colour, scale in sorted(
        LINES, key=lambda line: y(getattr(curve[-1], line[0]) * line[3])
    ):
        ends = [(x(point.waiting), y(getattr(point, field) * scale)) for point in curve]
        joined = " ".join(f"{at},{height}" for at, height in ends)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{at}" cy="{height}" r="3" fill="{colour}"/>' for at, height in ends]
        label = lowest = max(ends[-1][1] + 4, lowest + 14)
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
