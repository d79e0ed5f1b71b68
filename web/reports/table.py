"""Writes past visits as CSV (RFC 4180), one per line, for a spreadsheet.

It contains no names, except in texts that patients wrote. The words of the header are the same in every language, so
that scripts can read them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from web.reports.figures import Past

HEADER = (
    *("arrived", "day", "hour", "outcome", "wait_s", "talked_s", "provider", "returned", "booked"),
    *("tags", "survey", "survey_text"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def header() -> str:
    """Return the first line of the CSV file, with the names of the columns."""
    return ",".join(HEADER) + "\r\n"


def lines(found: Iterable[Past]) -> str:
    """Return a CSV line for each visit. `wait_s` is empty if the visit was not claimed."""
    out = io.StringIO()
    writer = csv.writer(out)
    for one in found:
        writer.writerow(
            (
                one.arrived.isoformat(timespec="seconds"),
                one.arrived.date().isoformat(),
                one.arrived.hour,
                one.outcome.value,
                "" if one.wait_ms is None else round(one.wait_ms / 1000),
                round(one.talked_ms / 1000),
                "" if one.provider is None else _harmless(one.provider[1]),
                one.returned,
                int(one.booked),
                _harmless("; ".join(one.tags)),
                "" if one.answer is None else one.answer,
                _harmless(one.comment),
            )
        )
    return out.getvalue()


def _harmless(text: str) -> str:
    """Return `text`, with an apostrophe in front if a spreadsheet program could read the text as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
