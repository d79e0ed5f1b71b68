"""Adds entries to the audit log after requests; every route declares which entry it adds.

A declaration is a `Row`, `ByHandler` or `NoEntry`: those of pages are in `routes.py`, those of the API in
`web/api/operations.py`. A sign-in is detected by comparing the sign-in of the session before and after a request.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from web.identity import sessions
from web.identity.sessions import Session
from web.identity.visitors import STAFF
from web.keys import AUDIT_LOG, SIGNED_IN

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Of = Callable[[web.Request], Awaitable[str | None]]
NOBODY = "nobody"
"""The actor in the entry of a request that is not signed in."""
NOT_DONE = ("/staff/sign-in", "/staff/two-factor")
"""A redirect to one of these paths means that the request was refused: sign-in or a second factor is needed first."""


async def nothing(_: web.Request) -> str | None:
    """Return "", for an entry that is about no particular object."""
    return ""


def in_path(name: str) -> Of:
    """Return a function that returns, for a request, the part of its path that the route calls `name`."""

    async def of(request: web.Request) -> str | None:
        return request.match_info[name]

    return of


class Row(NamedTuple):
    """Declares the audit entry that is added after a request.

    `what`: the entry's name. `about`: a function that returns the id of the object of the entry; if it
    returns None, no entry is added. `who`: a function that returns the actor; if `who` is None, the actor is
    the signed-in member of staff, or in the API the key of the program. `done`: the response statuses that
    mean success. `goes`: a text; the entry is added only if the address to which the response redirects
    contains this text. "" sets no condition.
    """

    what: str
    about: Of = nothing
    who: Of | None = None
    done: tuple[int, ...] = (200, 303)
    goes: str = ""


class ByHandler(NamedTuple):
    """Declares that the handler adds one of the entries `acts` itself, by the function `noted`.

    Only the handler of the request knows which of these entries is right.
    """

    acts: tuple[str, ...]


class NoEntry(NamedTuple):
    """Declares that the request adds no entry. `why`: the reason, for people who read the table of routes."""

    why: str


Declared = Row | ByHandler | NoEntry
UNKNOWN = NoEntry("no route")
DECLARED: web.RequestKey[Declared] = web.RequestKey("declared audit entry")
"""The key under which a request keeps the declaration of the audit entries of its route."""


async def noted(request: web.Request, what: str, about: str = "", *, who: str = "") -> None:
    """Add an entry about what the request has just done.

    `what`: the entry's name; `about`: the id of the object that it is about; `who`: the actor, or "" for the
    signed-in member of staff. Raises LookupError if the route does not declare the entry.
    """
    declared = request[DECLARED]
    if not isinstance(declared, ByHandler) or what not in declared.acts:
        raise LookupError(f"{request.match_info.route.resource} does not declare that it leaves {what}")
    await _note(request, what, about, who)


async def _note(request: web.Request, what: str, about: str = "", who: str = "") -> None:
    organisation = request.match_info["organisation"]
    who = who or staff_of(await sessions.get(request), organisation) or NOBODY
    request.app[AUDIT_LOG].note(organisation, who, what, about)


def staff_of(session: Session, organisation: str) -> str:
    """Return the id of the account of this organisation that is signed in with a session; "" if there is none."""
    return _sign_in_of(session, organisation)[0]


def _sign_in_of(session: Session, organisation: str) -> tuple[str, int]:
    """Return the person whose sign-in a session contains, and the generation of the account then; ("", 0) for none."""
    entry = session.get(STAFF)
    if entry is None or entry["organisation"] != organisation:
        return "", 0
    return str(entry["person"]), int(entry["generation"])


def audited(
    declared: Mapping[tuple[str, str], Declared], is_api: Callable[[web.Request], bool]
) -> Callable[..., Any]:
    """Return a middleware that adds the declared entries after requests for pages.

    `declared`: the declarations by method and path; `is_api`: returns whether a request is for the API, which adds its
    own entries. The middleware of the sessions must run before this middleware, which reads the session.
    """

    @web.middleware
    async def audit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_api(request):
            return await handler(request)
        resource = request.match_info.route.resource
        # A HEAD request runs the handler of GET, so it adds the same audit entry.
        method = "GET" if request.method == "HEAD" else request.method
        row = declared.get((method, resource.canonical if resource is not None else ""), UNKNOWN)
        request[DECLARED] = row
        if isinstance(row, NoEntry) and request.method != "POST":
            return await handler(request)
        request.app[AUDIT_LOG].ready()
        organisation = request.match_info.get("organisation", "")
        before = _sign_in_of(await sessions.get(request), organisation)
        try:
            response = await handler(request)
        except web.HTTPSeeOther as away:
            await _after(request, row, before, away.status, str(away.location))
            raise
        await _after(request, row, before, response.status, response.headers.get("Location", ""))
        return response

    return audit


async def _after(
    request: web.Request, row: Declared, before: tuple[str, int], status: int, goes: str
) -> None:
    organisation = request.match_info.get("organisation", "")
    signed_in = _sign_in_of(await sessions.get(request), organisation)
    after = signed_in[0]
    # A person who changes their own password is signed in already, and only gets another generation.
    renewed = after == before[0] and SIGNED_IN in request
    if request.method == "POST" and after and signed_in != before and not renewed:
        await _note(request, "signin.succeeded", who=after)
    if not isinstance(row, Row) or status not in row.done or row.goes not in goes:
        return
    who = await row.who(request) if row.who is not None else after or before[0]
    if status == 303 and (not who or (not row.goes and goes.endswith(NOT_DONE))):
        return
    about = await row.about(request)
    if about is not None:
        await _note(request, row.what, about, who or "")
