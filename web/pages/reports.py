"""The reports of an organisation, for its administrators: figures, charts with a table beside each, and CSV.

Knows which days are asked for and how figures are worded. What they are is counted in `web.reports`.
"""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from signalling.record import Role, Visit
from web.i18n import gettext, ngettext
from web.organisations import Organisation
from web.pages.public import SERVICE, organisation_of
from web.pages.staff_frame import staff_page
from web.people import require
from web.reports.figures import Past, past, report
from web.reports.table import csv_text
from web.reports.words import cards, figures

DAYS, LONGEST_DAYS = 30, 366
AT_ONCE = 200  # read and unsealed in one turn of the loop, between which the worker sees to its calls
AT_MOST = 20_000
"""So many visits are counted for one report; more would keep the worker from its calls."""


class Span(NamedTuple):
    """The days that a report is about."""

    first: date
    last: date


async def reports(request: web.Request) -> web.Response:
    """GET /{organisation}/staff/reports: by ?since= and ?until= (dates), the last 30 days unless they say."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id, Role.ADMIN)
    today, span = _span(request, organisation)
    found, whole = await _found(request, organisation, span)
    counted = await asyncio.to_thread(report, found, span.first, span.last)
    home = f"/{organisation.id}/staff/reports"
    context = {
        "since": span.first.isoformat(),
        "until": span.last.isoformat(),
        "today": today.isoformat(),
        "presets": [
            (
                ngettext("%(num)s day", "%(num)s days", days) % {"num": days},
                f"{home}?since={today - timedelta(days=days - 1)}&until={today}",
                span == Span(today - timedelta(days=days - 1), today),
            )
            for days in (7, 30, 90)
        ],
        "csv": f"{home}.csv?since={span.first}&until={span.last}",
        "cards": cards(counted.total),
        "figures": figures(counted) if found else [],
        "whole": whole,
        "zone": organisation.timezone.replace("_", " "),
    }
    return staff_page(
        request, organisation, account, "reports", "reports/page.html", context, gettext("Reports")
    )


async def table(request: web.Request) -> web.Response:
    """GET /{organisation}/staff/reports.csv: the same visits, one a line, without any patient's name."""
    organisation = await organisation_of(request)
    await require(request, organisation.id, Role.ADMIN)
    _, span = _span(request, organisation)
    found, _ = await _found(request, organisation, span)
    name = f"visits-{span.first}-{span.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(text=csv_text(found), content_type="text/csv", charset="utf-8", headers=headers)


async def _found(request: web.Request, organisation: Organisation, span: Span) -> tuple[list[Past], bool]:
    """The visits that arrived on these days and have ended, oldest first; and whether these are all."""
    zone = ZoneInfo(organisation.timezone)
    since_ms, until_ms = (
        round(datetime.combine(day, time(), zone).timestamp() * 1000)
        for day in (span.first, span.last + timedelta(days=1))
    )
    store = request.app[SERVICE].store
    visits: list[Visit] = []
    offset, whole = 0, True
    # A visit ends after it has arrived, so all that arrived since then have ended since then.
    while part := await store.past(organisation.id, since_ms, None, offset, AT_ONCE):
        visits += [visit for visit in part if since_ms <= visit.arrived_ms < until_ms]
        offset += AT_ONCE
        if offset >= AT_MOST:
            whole = False
            break
    return await asyncio.to_thread(_as_past, visits, zone), whole


def _as_past(visits: list[Visit], zone: ZoneInfo) -> list[Past]:
    visits.sort(key=lambda visit: (visit.arrived_ms, visit.id))
    return [past(visit, zone) for visit in visits]


def _span(request: web.Request, organisation: Organisation) -> tuple[date, Span]:
    """Today, and the days that are asked for: in order, none in the future, at most a year."""
    today = datetime.now(UTC).astimezone(ZoneInfo(organisation.timezone)).date()
    last = min(_date(request.query.get("until", ""), today), today)
    first = _date(request.query.get("since", ""), last - timedelta(days=DAYS - 1))
    first = max(min(first, last), last - timedelta(days=LONGEST_DAYS - 1))
    return today, Span(first, last)


def _date(text: str, otherwise: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return otherwise
    return found if found.year >= 2000 else otherwise
