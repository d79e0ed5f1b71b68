"""How pages write entries to the audit log: from a table after the request, or by calling `noted`.

A sign-in is detected by comparing the signed-in account before and after a request. Knows sessions; knows no page.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from web.identity import sessions
from web.identity.sessions import Session
from web.identity.visitors import STAFF
from web.keys import AUDIT_TRAIL

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Of = Callable[[web.Request], Awaitable[str | None]]
NOBODY = "nobody"
"""The actor of a request that is not signed in."""
NOT_DONE = ("/staff/sign-in", "/staff/two-factor")
"""Redirects to these paths mean that the request was refused: sign-in or a second factor is needed first."""


async def nothing(_: web.Request) -> str | None:
    """Return "": the entry is about no single thing."""
    return ""


class Row(NamedTuple):
    """The audit entry that a request leaves.

    `what`: the entry's name. `about`: a function that returns what the entry is about, such as an id; if it returns
    None, no entry is written. `who`: a function that returns the actor; None for the signed-in member of staff. `done`:
    the response statuses that mean success. `goes`: if set, only a redirect to an address that contains it counts.
    """

    what: str
    about: Of = nothing
    who: Of | None = None
    done: tuple[int, ...] = (200, 303)
    goes: str = ""


async def noted(request: web.Request, what: str, about: str = "", *, who: str = "") -> None:
    """Add an entry about what was just done, by the signed-in member of staff unless `who` is given."""
    organisation = request.match_info["organisation"]
    who = who or staff_of(await sessions.get(request), organisation) or NOBODY
    request.app[AUDIT_TRAIL].note(organisation, who, what, about)


def staff_of(session: Session, organisation: str) -> str:
    """Return the id of the account that is signed in with a session, or ""."""
    entry = session.get(STAFF)
    return str(entry["person"]) if entry is not None and entry["organisation"] == organisation else ""


def audited(rows: Mapping[tuple[str, str], Row], is_api: Callable[[web.Request], bool]) -> Callable[..., Any]:
    """Return a middleware, inside that of sessions, that adds the entries of `rows`, keyed by method and canonical
    path.
    """

    @web.middleware
    async def audit(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        row = rows.get((request.method, resource.canonical if resource is not None else ""))
        if (row is None and request.method != "POST") or is_api(request):
            return await handler(request)
        request.app[AUDIT_TRAIL].ready()
        organisation = request.match_info.get("organisation", "")
        before = staff_of(await sessions.get(request), organisation)
        try:
            response = await handler(request)
        except web.HTTPSeeOther as away:
            await _after(request, row, before, away.status, str(away.location))
            raise
        await _after(request, row, before, response.status, response.headers.get("Location", ""))
        return response

    return audit


async def _after(request: web.Request, row: Row | None, before: str, status: int, goes: str) -> None:
    organisation = request.match_info.get("organisation", "")
    after = staff_of(await sessions.get(request), organisation)
    if request.method == "POST" and after and after != before:
        await noted(request, "signin.succeeded", who=after)
    if row is None or status not in row.done or row.goes not in goes:
        return
    who = await row.who(request) if row.who is not None else after or before
    if status == 303 and (not who or (not row.goes and goes.endswith(NOT_DONE))):
        return
    about = await row.about(request)
    if about is not None:
        await noted(request, row.what, about, who=who or "")
