"""How the pages leave entries in the audit trail: those of a table after the request, others by `noted` where they act.

A sign-in is found by who the browser is before a request and after it. Knows sessions; knows no page.
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
"""Who acts without being signed in."""
NOT_DONE = ("/staff/sign-in", "/staff/two-factor")
"""Where somebody is sent who may not do what they asked for (yet)."""


async def nothing(_: web.Request) -> str | None:
    """About nothing in particular."""
    return ""


class Row(NamedTuple):
    """What a request leaves: the entry's name; about what (an id; None: nothing is left after all); who it was, where
    that is no signed-in member of staff.

    `done`: the statuses that mean it was done; `goes`: a part of the address that the browser is then sent to.
    """

    what: str
    about: Of = nothing
    who: Of | None = None
    done: tuple[int, ...] = (200, 303)
    goes: str = ""


async def noted(request: web.Request, what: str, about: str = "", *, who: str = "") -> None:
    """Leave an entry about what was just done, by the signed-in member of staff unless `who` says otherwise."""
    organisation = request.match_info["organisation"]
    who = who or staff_of(await sessions.get(request), organisation) or NOBODY
    request.app[AUDIT_TRAIL].note(organisation, who, what, about)


def staff_of(session: Session, organisation: str) -> str:
    """The id of the account that a session is signed in as; "" where it is not."""
    entry = session.get(STAFF)
    return str(entry["person"]) if entry is not None and entry["organisation"] == organisation else ""


def audited(rows: Mapping[tuple[str, str], Row], is_api: Callable[[web.Request], bool]) -> Callable[..., Any]:
    """A middleware, inside that of sessions, which leaves the entries of `rows`: by method and canonical path."""

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
