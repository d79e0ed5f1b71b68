"""Serves the reports of an organisation to its administrators: figures, charts with tables, and a CSV file.

`web.reports` calculates the figures.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiohttp import web

from signalling.store.records import OLDEST
from signalling.visit.record import Role
from web.appointments.words import zone_name
from web.identity.visitors import require
from web.keys import SERVICE
from web.languages.i18n import date_words, gettext, ngettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.downloads import sending
from web.pages.staff.frame import staff_page
from web.reports.figures import CHOICES, Past, past, report
from web.reports.table import header, lines
from web.reports.words import cards, figures

DAYS, LONGEST_DAYS = 30, 366
COMMENTS = 200
"""The greatest number of comments (free texts of the survey) on the page; the CSV file has all comments."""
# the number of visits that are read and decrypted before the event loop does other work, such as forwarding media
AT_ONCE = 200


class Span(NamedTuple):
    """The first and the last day of a report."""

    first: date
    last: date


async def reports(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/reports with the reports of the days from `?since=` to `?until=`.

    By default these are the last 30 days. `?tag=`: only visits with this tag.
    """
    organisation = await organisation_of(request)
    account = await require(request, organisation.id, Role.ADMIN)
    today, span = _span(request, organisation)
    tag = request.query.get("tag", "")
    found = [one async for part in _parts(request, organisation, span, tag) for one in part]
    counted = await asyncio.to_thread(report, found, span.first, span.last)
    home, of_tag = f"/{organisation.id}/staff/reports", f"&tag={quote(tag)}" if tag else ""
    choices = organisation.survey.choices or tuple(map(str, CHOICES))
    context = {
        "since": span.first.isoformat(),
        "until": span.last.isoformat(),
        "today": today.isoformat(),
        "presets": [
            (
                ngettext("%(num)s day", "%(num)s days", days) % {"num": days},
                f"{home}?since={today - timedelta(days=days - 1)}&until={today}{of_tag}",
                span == Span(today - timedelta(days=days - 1), today),
            )
            for days in (7, 30, 90)
        ],
        "csv": f"{home}.csv?since={span.first}&until={span.last}{of_tag}",
        "tag": tag,
        "tags": list(dict.fromkeys((*organisation.policy.tags, *([tag] if tag else [])))),
        "cards": cards(counted.total),
        "figures": figures(counted, choices) if found else [],
        "comments": [
            (date_words(one.arrived, "medium"), choices[one.answer - 1] if one.answer else "", one.comment)
            for one in counted.comments[:COMMENTS]
        ],
        "more_comments": len(counted.comments) > COMMENTS,
        "zone": zone_name(request.app[SERVICE].clock_ms(), organisation.timezone),
    }
    return staff_page(
        request, organisation, account, "reports", "reports/page.html", context, gettext("Reports")
    )


async def table(request: web.Request) -> web.StreamResponse:
    """Answer GET /{organisation}/staff/reports.csv with the report's visits, one per line, without patients' names.

    The file has all visits in the order in which they ended, and is sent while they are read.
    """
    organisation = await organisation_of(request)
    await require(request, organisation.id, Role.ADMIN)
    _, span = _span(request, organisation)
    parts = _parts(request, organisation, span, request.query.get("tag", ""))
    # The first part is read before the headers are sent, so that the answer can still be an error page if the store
    # fails.
    first: list[Past] = await anext(parts, [])
    response, name = web.StreamResponse(), f"visits-{span.first}-{span.last}.csv"
    async with sending(request, response, name, "text/csv") as send:
        if request.method != "HEAD":
            await send((header() + lines(first)).encode())
            async for part in parts:
                await send(lines(part).encode())
    return response


async def _parts(
    request: web.Request, organisation: Organisation, span: Span, tag: str
) -> AsyncIterator[list[Past]]:
    """Yield the visits that arrived on the days of `span` and have ended, in parts, in the order in which they ended.

    If `tag` is not "", only visits with this tag are included. Each part is read, decrypted and calculated in one
    turn of the event loop. Raises `UnavailableError` if the store does not answer.
    """
    zone = ZoneInfo(organisation.timezone)
    since_ms, until_ms = (
        round(datetime.combine(day, time(), zone).timestamp() * 1000)
        for day in (span.first, span.last + timedelta(days=1))
    )
    store, place = request.app[SERVICE].store, OLDEST
    # Visits are stored in the order of their end. A visit ends after its arrival, so reading begins at `since_ms`.
    while places := await store.ended(organisation.id, since_ms, place, AT_ONCE, oldest_first=True):
        visits = await store.visits(organisation.id, places)
        yield [
            past(visit, zone)
            for visit in visits
            if visit is not None
            and since_ms <= visit.arrived_ms < until_ms
            and (not tag or tag in visit.tags)
        ]
        place = places[-1]


def _span(request: web.Request, organisation: Organisation) -> tuple[date, Span]:
    """Return today's date, and the first and last day of the report that the request asks for.

    The report covers at most 366 days and no day in the future. A missing or invalid date is replaced by a default.
    """
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
