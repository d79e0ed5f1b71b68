"""Serves emergency access: a member of staff writes a reason, and reads a visit that is not theirs for some
minutes.

The page is read-only and shows the Case Information and the messages. The server draws it at each request, so
nothing is sent after the access has ended. When the access ends, the browser loads the page again and shows the
form.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from signalling.topics.rights import may_see
from signalling.visit.record import STAFF_ROLES, Actor, Visit
from web.audit.noting import noted
from web.emergency.grants import Grant
from web.emergency.opening import end_access, grants_of, open_access
from web.errors import BlockedError, BusyError
from web.identity import sessions
from web.identity.accounts import Account
from web.identity.visitors import require
from web.intake.information_form import clean
from web.keys import ORGANISATION, SERVICE, THROTTLE
from web.languages.i18n import gettext, time_words
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.errors import not_found
from web.pages.list_parts import Part, part_of
from web.pages.setup.frame import when
from web.pages.staff.case import answers_of, facts_of
from web.pages.staff.frame import staff_page
from web.requests.fields import read_form
from web.requests.security import Rule

PATH = "/{organisation}/staff/visits/{visit}/emergency"
SHORTEST, LONGEST = 10, 500
"""The smallest and the greatest number of characters that the reason for an emergency access may have."""
RATE = Rule("emergency", limit=10, window_ms=3600_000, first_delay_ms=0)
"""The number of emergency accesses that a member of staff may begin within an hour."""
READ = "emergency"
"""The key in the session's dictionary. Its value is the id of the newest grant whose first use in this browser is in
the audit log.
"""
MESSAGES = 500
"""The greatest number of chat messages that one part of the page shows."""


class Asked(NamedTuple):
    """A request of a signed-in member of staff to read a visit by emergency access.

    `now_ms`: the time of the request. `grant`: the access by which the person may read the visit now, or None.
    """

    organisation: Organisation
    account: Account
    visit: Visit
    now_ms: int
    grant: Grant | None

    @property
    def home(self) -> str:
        """The path of the Sessions List."""
        return f"/{self.organisation.id}/staff"

    @property
    def path(self) -> str:
        """The path of this visit's page of emergency access."""
        return f"{self.home}/visits/{self.visit.id}/emergency"


Answer = Callable[[web.Request, Asked], Awaitable[web.Response]]


def _of_visit(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler that makes an `Asked` from each request and calls `answer` with it.

    If there is no such visit, or the organisation gives no emergency access, the handler answers HTTP 404.
    """

    @wraps(answer)
    async def handler(request: web.Request) -> web.Response:
        asked = await _asked(request)
        return _none(request) if asked is None else await answer(request, asked)

    return handler


async def _asked(request: web.Request) -> Asked | None:
    """Return the visit, the person and the access (None if there is none) of a request to a page of emergency access.

    Returns None if there is no such visit, or if the organisation gives no emergency access. Raises HTTP 303 to the
    visit's usual page if the person may see it there, and the errors of `require`.
    """
    organisation = await organisation_of(request)
    account = await require(request, organisation.id, *STAFF_ROLES)
    service = request.app[SERVICE]
    visit = await service.visit_now(organisation.id, request.match_info["visit"])
    if visit is None or not organisation.emergency_min:
        return None
    actor = Actor(organisation=organisation.id, id=account.id, name=account.name, role=account.role)
    if may_see("case", visit, actor, (await service.mirrors.get(organisation.id)).staff):
        raise web.HTTPSeeOther(f"/{organisation.id}/staff/visits/{visit.id}")
    now_ms = service.clock_ms()
    grant = await grants_of(request.app).of(organisation.id, account.id, visit.id, now_ms)
    return Asked(organisation, account, visit, now_ms, grant)


def _none(request: web.Request) -> web.Response:
    organisation = request[ORGANISATION]
    links = [(gettext("Sessions List"), f"/{organisation.id}/staff")]
    text = gettext("It may have been erased, or your clinic gives no emergency access.")
    return not_found(request, gettext("There is no such session"), text, links)


@_of_visit
async def page(request: web.Request, asked: Asked) -> web.Response:
    """Answer GET …/visits/{visit}/emergency with the visit if the person has access, otherwise with the form."""
    if asked.grant is None:
        return _form(request, asked)
    session = await sessions.get(request)
    if session.get(READ) != asked.grant.id:
        await noted(request, "visit.emergency_read", asked.visit.id)
        session[READ] = asked.grant.id
    return await _shown(request, asked, asked.grant)


@_of_visit
async def open_visit(request: web.Request, asked: Asked) -> web.Response:
    """Answer POST …/visits/{visit}/emergency: give the signed-in person access, if the form has a reason."""
    reason = clean((await read_form(request)).get("reason"), LONGEST + 1)
    if not SHORTEST <= len(reason) <= LONGEST:
        sentence = gettext("Write the reason, in %(least)s to %(most)s characters.")
        return _form(request, asked, reason, sentence % {"least": SHORTEST, "most": LONGEST}, 422)
    if asked.grant is None:
        organisation, account = asked.organisation, asked.account
        try:
            async with request.app[THROTTLE].attempt(RATE, organisation.id, account.id):
                await open_access(request.app, organisation, account, asked.visit, reason)
        except (BlockedError, BusyError):
            wrong = gettext("You have used emergency access very often. Ask an administrator.")
            return _form(request, asked, reason, wrong, 429)
    raise web.HTTPSeeOther(asked.path)


@_of_visit
async def end(request: web.Request, asked: Asked) -> web.Response:
    """Answer POST …/visits/{visit}/emergency/end: end the person's own access to the visit."""
    grant = asked.grant
    if grant is not None and await end_access(request.app, asked.organisation, asked.account, grant.id):
        await noted(request, "visit.emergency_ended", asked.visit.id)
    raise web.HTTPSeeOther(asked.home)


def _form(
    request: web.Request, asked: Asked, reason: str = "", wrong: str = "", status: int = 200
) -> web.Response:
    context = {
        "minutes": asked.organisation.emergency_min,
        "reason": reason,
        "wrong": wrong,
        "longest": LONGEST,
        "grant": None,
    }
    return _draw(request, asked, context, status)


async def _shown(request: web.Request, asked: Asked, grant: Grant) -> web.Response:
    organisation, visit, zone = asked.organisation, asked.visit, ZoneInfo(asked.organisation.timezone)
    service = request.app[SERVICE]
    guide = await service.guide(organisation.id, visit.guide_version)
    written = await service.store.count_lines(organisation.id, visit.id)
    part = part_of(request, asked.path, written, MESSAGES)
    context = {
        "grant": grant,
        "until": time_words(datetime.fromtimestamp(grant.until_ms / 1000, UTC).astimezone(zone)),
        "patient": visit.patient.name,
        "facts": facts_of(visit, organisation),
        "answers": answers_of(visit, guide),
        "photos": [
            (f"/{organisation.id}/visits/{visit.id}/photos/{photo.id}", photo.text, photo.width, photo.height)
            for photo in visit.photos
        ],
        "messages": await _messages(request, asked, part),
        "part": part,
    }
    response = _draw(request, asked, context)
    # This header lets the browser load the page again when the time of the access is over. If an administrator ends
    # the access earlier, `page.js` loads the page again.
    response.headers["Refresh"] = str((grant.until_ms - asked.now_ms) // 1000 + 1)
    return response


async def _messages(request: web.Request, asked: Asked, part: Part) -> list[tuple[str, str, str]]:
    """Return (name of the author, time, text) of each message that this part of the page shows, the oldest first."""
    organisation, visit = asked.organisation, asked.visit
    found = await request.app[SERVICE].store.lines(organisation.id, visit.id, part.skipped + MESSAGES)
    lines = found[: max(0, len(found) - part.skipped)]
    return [(line.name, when(line.at_ms, organisation), line.text) for line in lines]


def _draw(request: web.Request, asked: Asked, context: dict[str, Any], status: int = 200) -> web.Response:
    frame = {"form_path": asked.path, "home": asked.home}
    title = gettext("Emergency access")
    return staff_page(
        request, asked.organisation, asked.account, "", "emergency.html", {**frame, **context}, title, status
    )


ROUTES = (web.get(PATH, page), web.post(PATH, open_visit), web.post(PATH + "/end", end))
