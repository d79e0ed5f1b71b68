"""Serves emergency access: a member of staff writes a reason, and reads a visit that is not theirs for some
minutes.

The page is read-only and shows the Case Information and the messages. The server draws it at each request, so
nothing is sent after the access has ended. When the access ends, the browser loads the page again and shows the
form.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
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
from web.pages.setup.frame import when
from web.pages.staff.answers import answer_words
from web.pages.staff.frame import staff_page
from web.requests.fields import read_form
from web.requests.security import Rule

PATH = "/{organisation}/staff/visits/{visit}/emergency"
SHORTEST, LONGEST = 10, 500
"""The fewest and the most characters of a reason."""
RATE = Rule("emergency", limit=10, window_ms=3600_000, first_delay_ms=0)
"""How often a person may open visits within an hour."""
READ = "emergency"
"""The key in the session's dictionary. Its value is the id of the newest grant whose first use in this browser is in
the audit log.
"""
MESSAGES = 500


Answer = Callable[[web.Request, Organisation, Account, Visit], Awaitable[web.Response]]


def _of_visit(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler that calls `answer` with what `_wanted` returns; without a visit, it answers HTTP 404."""

    @wraps(answer)
    async def handler(request: web.Request) -> web.Response:
        wanted = await _wanted(request)
        return _none(request) if wanted is None else await answer(request, *wanted)

    return handler


async def _wanted(request: web.Request) -> tuple[Organisation, Account, Visit] | None:
    """Return the organisation, the signed-in member of staff and the visit.

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
    return organisation, account, visit


def _none(request: web.Request) -> web.Response:
    organisation = request[ORGANISATION]
    links = [(gettext("Sessions List"), f"/{organisation.id}/staff")]
    text = gettext("It may have been erased, or your clinic gives no emergency access.")
    return not_found(request, gettext("There is no such session"), text, links)


@_of_visit
async def page(
    request: web.Request, organisation: Organisation, account: Account, visit: Visit
) -> web.Response:
    """Answer GET …/visits/{visit}/emergency with the visit if the person has access, otherwise with the form."""
    now_ms = request.app[SERVICE].clock_ms()
    grant = await grants_of(request.app).of(organisation.id, account.id, visit.id, now_ms)
    if grant is None:
        return _form(request, organisation, account, visit)
    session = await sessions.get(request)
    if session.get(READ) != grant.id:
        await noted(request, "visit.emergency_read", visit.id)
        session[READ] = grant.id
    return await _shown(request, organisation, account, visit, grant, now_ms)


@_of_visit
async def open_visit(
    request: web.Request, organisation: Organisation, account: Account, visit: Visit
) -> web.Response:
    """Answer POST …/visits/{visit}/emergency: give the signed-in person access, if the form has a reason."""
    reason = clean((await read_form(request)).get("reason"), LONGEST + 1)
    if not SHORTEST <= len(reason) <= LONGEST:
        sentence = gettext("Write the reason, in %(least)s to %(most)s characters.")
        wrong = sentence % {"least": SHORTEST, "most": LONGEST}
        return _form(request, organisation, account, visit, reason, wrong, 422)
    now_ms = request.app[SERVICE].clock_ms()
    if await grants_of(request.app).of(organisation.id, account.id, visit.id, now_ms) is None:
        try:
            async with request.app[THROTTLE].attempt(RATE, organisation.id, account.id):
                await open_access(request.app, organisation, account, visit, reason)
        except (BlockedError, BusyError):
            wrong = gettext("You have used emergency access very often. Ask an administrator.")
            return _form(request, organisation, account, visit, reason, wrong, 429)
    raise web.HTTPSeeOther(request.path)


@_of_visit
async def end(
    request: web.Request, organisation: Organisation, account: Account, visit: Visit
) -> web.Response:
    """Answer POST …/visits/{visit}/emergency/end: end the person's own access to the visit."""
    now_ms = request.app[SERVICE].clock_ms()
    grant = await grants_of(request.app).of(organisation.id, account.id, visit.id, now_ms)
    if grant is not None and await end_access(request.app, organisation, account, grant.id):
        await noted(request, "visit.emergency_ended", visit.id)
    raise web.HTTPSeeOther(f"/{organisation.id}/staff")


def _form(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    visit: Visit,
    reason: str = "",
    wrong: str = "",
    status: int = 200,
) -> web.Response:
    context = {
        "form_path": f"/{organisation.id}/staff/visits/{visit.id}/emergency",
        "home": f"/{organisation.id}/staff",
        "minutes": organisation.emergency_min,
        "reason": reason,
        "wrong": wrong,
        "longest": LONGEST,
        "grant": None,
    }
    title = gettext("Emergency access")
    return staff_page(request, organisation, account, "", "emergency.html", context, title, status)


async def _shown(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    visit: Visit,
    grant: Grant,
    now_ms: int,
) -> web.Response:
    service, zone = request.app[SERVICE], ZoneInfo(organisation.timezone)
    guide = await service.guide(organisation.id, visit.guide_version)
    lines = await service.store.lines(organisation.id, visit.id, MESSAGES)
    patient = visit.patient
    facts = (
        (gettext("Arrived"), when(visit.arrived_ms, organisation)),
        (gettext("Date of birth"), patient.birth_date),
        (gettext("Phone"), patient.phone_shown or patient.phone),
        (gettext("Email"), patient.email),
        (gettext("Reason for the visit"), patient.reason),
        (gettext("Filled in by"), patient.filled_in_by or ""),
    )
    context = {
        "form_path": f"/{organisation.id}/staff/visits/{visit.id}/emergency",
        "grant": grant,
        "until": time_words(datetime.fromtimestamp(grant.until_ms / 1000, UTC).astimezone(zone)),
        "patient": patient.name,
        "facts": [(label, value) for label, value in facts if value],
        "answers": [
            (step.title, answer_words(visit.answers[step.id]))
            for step in guide.steps
            if step.id in visit.answers
        ],
        "photos": [
            (f"/{organisation.id}/visits/{visit.id}/photos/{photo.id}", photo.text, photo.width, photo.height)
            for photo in visit.photos
        ],
        "messages": [(line.name, when(line.at_ms, organisation), line.text) for line in lines],
    }
    title = gettext("Emergency access")
    response = staff_page(request, organisation, account, "", "emergency.html", context, title)
    # The browser loads the page again after the access has ended by time. If an administrator ends the access
    # earlier, `page.js` loads the page again.
    response.headers["Refresh"] = str((grant.until_ms - now_ms) // 1000 + 1)
    return response


ROUTES = (web.get(PATH, page), web.post(PATH, open_visit), web.post(PATH + "/end", end))
