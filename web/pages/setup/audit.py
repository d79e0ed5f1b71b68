"""Serves the page of the audit log: all actions, the newest first, and a file with them for download.

A reader can filter the actions by person and by visit. Administrators open the page in the set-up; for auditors it is
the only page beside their own settings.

One request reads a limited number of entries. `greenroom audit verify`, which reads all entries, checks
whether the log is complete. The page names no patient: an entry has the visit's id, which links to the
visit.
"""

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from signalling.visit import audit_entries
from signalling.visit.audit_entries import Act, Entry
from signalling.visit.record import Role
from web.audit.acts import ACTS, KINDS
from web.audit.lines import Chosen, line
from web.emergency.grants import MINUTE_MS
from web.emergency.opening import grants_of
from web.identity.accounts import Account, pseudonym
from web.keys import ACCOUNTS, API_KEYS, AUDIT_LOG, FACILITIES
from web.languages.i18n import gettext
from web.organisations.settings import Organisation
from web.pages.downloads import sending
from web.pages.setup.frame import PAGES, admin, draw, path_of

NAME = "audit"
ROWS = 100
OPENED = "visit.emergency_opened"
# The number of entries that are read and decoded in one turn of the event loop.
READ = 1000
# the greatest number of entries that one request reads, so that a search does not slow the worker down
AT_MOST = 20_000


class Found(NamedTuple):
    """The result of a search: entries, newest first, and the number `further`.

    The next page has the entries whose numbers are below `further`. `further` is None if there are no older entries.
    """

    entries: list[Entry]
    further: int | None


async def audit(request: web.Request) -> web.Response:
    """Answer GET …/setup/audit with a page of the audit log, the newest entries first.

    `?who=` shows only the entries of this actor (an id), `?visit=` only those about this visit (an id), and `?before=`
    only entries with lower numbers.
    """
    organisation, account = await admin(request, Role.AUDITOR)
    chosen = _chosen(request)
    before = request.query.get("before", "")
    below = int(before) if before.isascii() and before.isdigit() and len(before) < 15 else None
    found = await _search(request, organisation, chosen, below)
    names = await _names(request, organisation)
    reasons = await _reasons(request, organisation, found.entries)
    wanted = {name: value for name, value in (("who", chosen.who), ("visit", chosen.visit)) if value}
    path = path_of(organisation, NAME)
    further = ""
    if found.further is not None:
        further = f"{path}?{urlencode({**wanted, 'before': found.further})}"
    context = {
        "rows": [_row(organisation, entry, names | reasons, account) for entry in found.entries],
        "who": chosen.who,
        "visit": chosen.visit,
        "file": f"{path}/export?{urlencode(wanted)}",
        "people": sorted(names.items(), key=lambda item: item[1].casefold()),
        "further": further,
        "newest": f"{path}?{urlencode(wanted)}" if below is not None else "",
        "whole": len(found.entries) < ROWS,
    }
    return draw(request, organisation, NAME, "setup/audit.html", context)


async def export(request: web.Request) -> web.StreamResponse:
    """Answer GET …/setup/audit/export with all entries that fit the page's filters, as lines of JSON.

    The oldest entry is first, as in the output of `greenroom audit export`.
    """
    organisation, _ = await admin(request, Role.AUDITOR)
    chosen, audit_log = _chosen(request), request.app[AUDIT_LOG]
    await audit_log.bind_all(organisation.id)
    response, name = web.StreamResponse(), f"audit-{organisation.id}.jsonl"
    async with sending(request, response, name, "application/jsonl") as send:
        if request.method == "HEAD":
            return response
        lines: list[str] = []
        async for entry in audit_log.entries(organisation.id):
            if chosen.fits(entry):
                lines.append(line(entry) + "\n")
            if len(lines) == READ:
                await send("".join(lines).encode())
                lines = []
        await send("".join(lines).encode())
    return response


def _chosen(request: web.Request) -> Chosen:
    who, visit = (request.query.get(name, "").strip()[:200] for name in ("who", "visit"))
    return Chosen(who=who, visit=visit)


async def _search(
    request: web.Request, organisation: Organisation, chosen: Chosen, below: int | None
) -> Found:
    audit_log = request.app[AUDIT_LOG]
    end = await audit_log.length(organisation.id)
    head = await audit_log.head(organisation.id)
    if below is not None and head is not None:
        end = max(0, min(end, below - head.first))
    least = max(0, end - AT_MOST)
    entries: list[Entry] = []
    while end > least:
        start = max(least, end - READ)
        kept = await audit_log.read(organisation.id, start, end - start)
        for entry in map(audit_entries.entry_of, reversed(kept)):
            if entry is None:
                # The entry cannot be read, so it is left out; `greenroom audit verify` reports it.
                continue
            if chosen.fits(entry):
                entries.append(entry)
                if len(entries) == ROWS:
                    return Found(entries, entry.number if entry.number > 1 else None)
        end = start
        await asyncio.sleep(0)
    first = head.first if head is not None else 1
    return Found(entries, first + end if end else None)


async def _reasons(request: web.Request, organisation: Organisation, entries: list[Entry]) -> dict[str, str]:
    """Return the reasons of the emergency accesses in these entries: id of the grant -> reason.

    The page shows the reason in place of the id. A grant that was erased has no reason here.
    """
    times = [entry.act.at_ms for entry in entries if entry.act.what == OPENED]
    if not times:
        return {}
    # A grant's time differs a little from that of its audit entry, so grants up to a minute earlier or later are read.
    grants = await grants_of(request.app).between(
        organisation.id, min(times) - MINUTE_MS, max(times) + MINUTE_MS
    )
    return {grant.id: grant.reason for grant in grants}


async def _names(request: web.Request, organisation: Organisation) -> dict[str, str]:
    """Return the names of all possible actors: id -> name.

    The actor of a failed sign-in is a pseudonym of an email address, which has no name on this page.
    """
    people = await request.app[ACCOUNTS].list(organisation.id)
    keys = await request.app[API_KEYS].list(organisation.id)
    facilities = await request.app[FACILITIES].of(organisation.id)
    return {
        **{person.id: person.name for person in people},
        **{f"api:{key.id}": key.label for key, _ in keys},
        **{f"facility:{facility.id}": facility.name for facility in facilities},
        **{f"email:{pseudonym(person.email)}": person.email for person in people},
    }


def _row(organisation: Organisation, entry: Entry, names: dict[str, str], reader: Account) -> dict[str, str]:
    """Return an entry in words. `names`: the names of the actors. `reader`: the account that reads the page; an auditor
    gets no links to visits.
    """
    act = entry.act
    linked = act.about.startswith("v_") and reader.role is not Role.AUDITOR
    at = datetime.fromtimestamp(act.at_ms / 1000, UTC)
    return {
        "number": str(entry.number),
        "at": f"{at:%Y-%m-%d %H:%M:%S}",
        "iso": at.isoformat(timespec="milliseconds"),
        "kind": gettext(KINDS.get(act.kind, "")) if act.kind in KINDS else act.kind,
        "who": names.get(
            act.who, "" if act.kind in ("system", "nobody") else act.who.partition(":")[2] or act.who
        ),
        "what": gettext(ACTS[act.what]) if act.what in ACTS else act.what,
        "name": act.what,
        "about": _about(act, names),
        "href": f"/{organisation.id}/staff/visits/{act.about}" if linked else "",
        "to": names.get(act.to, act.to),
    }


def _about(act: Act, names: dict[str, str]) -> str:
    if act.what == "setup.changed":
        return gettext(dict(PAGES).get(act.about, act.about))
    if act.about.startswith("email:"):
        return names.get(act.about) or gettext("an email address that nobody here has")
    prefix = {"key": "api:", "facility": "facility:"}.get(act.what.partition(".")[0], "")
    return names.get(prefix + act.about, act.about)
