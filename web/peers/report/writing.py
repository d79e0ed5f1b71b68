"""Writes the files of a run in its folder: report.html, report.json, junit.xml, observations.csv, observations.jsonl.

Only observations.jsonl is read again, by `read`. The modules `figures`, `page`, `junit` and `thresholds` make the
contents of the files.
"""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from web.peers.report.figures import Figures, figures
from web.peers.report.junit import junit
from web.peers.report.page import report_page
from web.peers.report.thresholds import Verdict, verdicts
from web.peers.run.observations import Observations

PAGE, FIGURES, TABLE, RAW = "report.html", "report.json", "observations.csv", "observations.jsonl"
JUNIT = "junit.xml"

FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Written(msgspec.Struct, frozen=True):
    """The contents of report.json."""

    format: int
    figures: Figures
    thresholds: list[Verdict]


def check_folder(folder: Path) -> None:
    """Make the folder of a report. Raises OSError if files cannot be written into it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def write(seen: Observations, folder: Path, thresholds: Sequence[str] = ()) -> Path:
    """Write the run's files into a folder, which is made if there is none; return the path of report.html.

    `seen`: the observations of the run. `thresholds`: the limits to check; the files contain the results of the checks.
    Raises OSError if a file cannot be written, and ThresholdError if a threshold is not valid.
    """
    found = figures(seen)
    judged = verdicts(seen, thresholds)
    folder.mkdir(parents=True, exist_ok=True)
    seen.save(folder / RAW)
    written = Written(format=1, figures=found, thresholds=judged)
    (folder / FIGURES).write_bytes(msgspec.json.format(msgspec.json.encode(written)) + b"\n")
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("kind", "name", "at_s", "value", "source"))
        table.writerows((kind, _harmless(name), *rest) for kind, name, *rest in seen.rows())
    (folder / JUNIT).write_text(junit(found, judged), "utf-8")
    page = folder / PAGE
    page.write_text(report_page(found, judged), "utf-8")
    return page


def _harmless(text: str) -> str:
    """Return `text` for a cell of a CSV file.

    If a spreadsheet program would read the text as a formula, an apostrophe is put in front of the text.
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def read(path: Path) -> Observations:
    """Return the observations of a run. `path`: the run's folder, or the file observations.jsonl in it.

    Raises ObservationsError if the file cannot be read as observations.
    """
    return Observations.load(path / RAW if path.is_dir() else path)
