"""Serves the page of one booked visit, opened by its signed link: the patient can change the time, cancel and check
in.

The rules of booked visits are defined in `web.appointments`; the visit that begins at check-in is an ordinary visit.
"""

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import web

from web.appointments import ics
from web.appointments.appointment import EARLY_MS, Appointment, Status, may_change, missed
from web.appointments.letters import entry_words
from web.appointments.words import when_words
from web.errors import BlockedError, TimeTakenError, TooLateError
from web.identity import sessions
from web.identity.throttle import TokenKind, guess
from web.identity.visitors import add_visit, visit_path
from web.keys import DESK, OPENINGS, SETTINGS
from web.languages.i18n import N_, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.appointments.booking import TAKEN, moment_of
from web.pages.appointments.week import calendar_week
from web.pages.errors import not_found
from web.pages.rendering import page
from web.requests.fields import read_form

TOO_LATE = N_("That cannot be done any more. This is how your visit stands now.")
MANY_MOVES = N_("This visit has been moved too often today. Try again tomorrow, or call the clinic.")
GONE = N_("There is no such booked visit")
GONE_TEXT = N_("The link is cut off, or the visit was a long time ago. Check the link in your email.")


Opened = Callable[[web.Request, Organisation, Appointment], Awaitable[web.Response]]


def opened(handler: Opened) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler that finds the appointment of the link and passes it to `handler`.

    Forged, mistyped and erased links get the same answer, so that an answer reveals nothing.
    """

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.Response:
        organisation = await organisation_of(request)
        found = await _found(request, organisation)
        if found is None:
            links = [(organisation.name, f"/{organisation.id}")]
            return not_found(request, gettext(GONE), gettext(GONE_TEXT), links)
        return await handler(request, organisation, found)

    return handle


@opened
async def show(request: web.Request, organisation: Organisation, appointment: Appointment) -> web.Response:
    """Answer GET /{organisation}/appointments/{token} with the page of the booked visit."""
    return await _visit_page(request, organisation, appointment)


@opened
async def choose(request: web.Request, organisation: Organisation, appointment: Appointment) -> web.Response:
    """Answer GET …/{token}/move with the week of bookable times, to choose another time."""
    if not may_change(appointment, request.app[DESK].now_ms()):
        raise web.HTTPSeeOther(_path(request, organisation, appointment))
    return await _week_page(request, organisation, appointment, None)


@opened
async def move(request: web.Request, organisation: Organisation, appointment: Appointment) -> web.Response:
    """Answer POST …/{token}/move: give the booked visit the time that the patient chose; the old time is free again."""
    posted = await read_form(request)
    try:
        async with request.app[OPENINGS].moving(organisation.id, appointment.id):
            await request.app[DESK].move(organisation, appointment.id, moment_of(posted.get("starts", "")))
    except BlockedError:
        return await _week_page(request, organisation, appointment, gettext(MANY_MOVES), status=429)
    except TimeTakenError:
        return await _week_page(request, organisation, appointment, gettext(TAKEN), status=409)
    except TooLateError:
        return await _refused(request, organisation)
    raise web.HTTPSeeOther(_path(request, organisation, appointment))


@opened
async def cancel(request: web.Request, organisation: Organisation, appointment: Appointment) -> web.Response:
    """Answer POST …/{token}/cancel: cancel the booked visit for the patient."""
    try:
        await request.app[DESK].cancel(organisation, appointment.id)
    except TooLateError:
        return await _refused(request, organisation)
    raise web.HTTPSeeOther(_path(request, organisation, appointment))


@opened
async def check_in(
    request: web.Request, organisation: Organisation, appointment: Appointment
) -> web.Response:
    """Answer POST …/{token}/check-in: add the patient to the queue; this browser may show the visit."""
    try:
        visit = await request.app[DESK].check_in(organisation, appointment.id)
    except TooLateError:
        return await _refused(request, organisation)
    session = await sessions.get(request)
    add_visit(session, organisation.id, visit.id)
    raise web.HTTPSeeOther(visit_path(session, organisation.id))


@opened
async def download(
    request: web.Request, organisation: Organisation, appointment: Appointment
) -> web.Response:
    """Answer GET …/{token}/visit.ics with the calendar entry of the booked visit."""
    link = request.app[SETTINGS].origin + _path(request, organisation, appointment)
    body = ics.entry(
        appointment,
        entry_words(organisation),
        link=link,
        sender="",
        method=ics.PUBLISH,
        now_ms=request.app[DESK].now_ms(),
    )
    headers = {"Content-Disposition": 'attachment; filename="visit.ics"'}
    return web.Response(body=body, content_type="text/calendar", charset="utf-8", headers=headers)


async def _found(request: web.Request, organisation: Organisation) -> Appointment | None:
    desk = request.app[DESK]
    async with guess(request, organisation.id, TokenKind.BOOKING) as attempt:
        appointment_id = desk.links.read(organisation.id, request.match_info["token"])
        if appointment_id is not None:
            attempt.succeeded()
    return None if appointment_id is None else await desk.book.get(organisation.id, appointment_id)


def _path(request: web.Request, organisation: Organisation, appointment: Appointment) -> str:
    token = request.app[DESK].links.token(organisation.id, appointment.id)
    return f"/{organisation.id}/appointments/{quote(token)}"


async def _refused(request: web.Request, organisation: Organisation) -> web.Response:
    """Return the page of the booked visit as it is now, with the message that it is too late for the action."""
    now = await _found(request, organisation)
    assert now is not None, "records last longer than their time"
    return await _visit_page(request, organisation, now, error=gettext(TOO_LATE), status=409)


async def _visit_page(
    request: web.Request,
    organisation: Organisation,
    appointment: Appointment,
    *,
    error: str | None = None,
    status: int = 200,
) -> web.Response:
    desk = request.app[DESK]
    now_ms, zone = desk.now_ms(), appointment.zone or organisation.timezone
    visit = await desk.visit(appointment)
    may_check_in = await desk.may_check_in(appointment)
    context = {
        "path": _path(request, organisation, appointment),
        "name": appointment.patient.name,
        "email": appointment.patient.email,
        "when": when_words(appointment.starts_ms, zone),
        "here": when_words(appointment.starts_ms, organisation.timezone),
        "minutes": (appointment.ends_ms - appointment.starts_ms) // 60_000,
        "cancelled": appointment.status is Status.CANCELLED,
        "cancelled_by": appointment.cancelled_by,
        "missed": missed(appointment, now_ms),
        "may_change": may_change(appointment, now_ms),
        "may_check_in": may_check_in,
        "check_in_min": EARLY_MS // 60_000,
        "wait_ms": max(0, appointment.starts_ms - EARLY_MS - now_ms),
        "open": visit is not None and visit.is_open,
        "over": visit is not None and not visit.is_open and not may_check_in,
        "error": error,
    }
    return page(request, "calendar/visit.html", context, title=gettext("Your booked visit"), status=status)


async def _week_page(
    request: web.Request,
    organisation: Organisation,
    appointment: Appointment,
    error: str | None,
    *,
    status: int = 200,
) -> web.Response:
    path = _path(request, organisation, appointment)
    shown = await calendar_week(request, organisation.within(appointment.area), but=appointment.id)
    # Booking was turned off after this visit was booked, so there are no times to choose. The visit stays booked, and
    # can still be cancelled.
    if not shown:
        return await _refused(request, organisation)
    context = {
        "week": shown,
        "week_path": f"{path}/move",
        "week_action": f"{path}/move",
        "back": path,
        "heading": gettext("Move your visit"),
        "error": error,
    }
    return page(request, "calendar/choose.html", context, title=gettext("Move your visit"), status=status)
