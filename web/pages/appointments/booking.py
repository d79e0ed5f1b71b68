"""Serves the pages on which a patient books a time: the week, the form with patient information, and the booking.

`web.appointments` defines which times are free and booked. A time is chosen by a POST request, because it is then held
for ten minutes, and other visitors cannot book it. A browser holds at most one time; the browser's session has the id
of this hold.
"""

from typing import Any

import structlog
from aiohttp import web

from signalling.repeated import due
from signalling.service import new_id
from web.appointments.words import known_zone, when_words
from web.errors import BlockedError, TimeTakenError, TooManyHoldsError
from web.identity import sessions
from web.identity.sessions import Session
from web.identity.visitors import booked_key
from web.intake import information_form as patient_form
from web.intake.information_form import today_anywhere
from web.keys import DESK, OPENINGS, SETTINGS
from web.languages.i18n import N_, current, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.appointments.week import booked_here, calendar_week
from web.pages.patient.visit import asked_area, form_context, hold_path, home
from web.pages.rendering import page
from web.requests.fields import PATIENT_BYTES, read_form
from web.requests.security import neighbourhood, remote_of

TAKEN = N_("Somebody else has just taken this time. Please choose another.")
MANY = N_("Too many times are being held from where you are. Try again in ten minutes.")
MANY_BOOKED = N_(
    "Too many visits have been booked today, from where you are, for this email address or at this clinic. Try again "
    "in {hours} h, or call the clinic."
)
log = structlog.get_logger("web.booking")


def hold_key(organisation: str) -> str:
    """Return the key in the browser's session for the bookable time that is reserved for this browser."""
    return f"hold:{organisation}"


async def choose(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/appointments with the week of bookable times (of a waiting area, with `?area=`)."""
    organisation = await organisation_of(request)
    return await _week_page(request, organisation, None, asked_area(request, organisation))


async def next_time(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/appointments/next with the next free time in JSON, null for none.

    The time is in ms since the epoch. With `?area=`, it is the next free time of a waiting area.
    """
    organisation = await organisation_of(request)
    shown = await calendar_week(request, organisation.within(asked_area(request, organisation)))
    return web.json_response({"starts_ms": next(iter(shown.get("starts_ms", ())), None)})


async def hold(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/appointments/hold: reserve the chosen time for ten minutes; redirect to the form."""
    organisation = await organisation_of(request)
    area = asked_area(request, organisation)
    posted = await read_form(request)
    session = await sessions.get(request)
    before = _held(session, organisation)
    name = before["id"] if before else new_id("h")
    starts_ms = moment_of(posted.get("starts", ""))
    desk, zone = request.app[DESK], known_zone(posted.get("zone", ""))
    try:
        until_ms = await desk.hold(organisation.within(area), starts_ms, name, _address(request))
    except TimeTakenError:
        return await _week_page(request, organisation, gettext(TAKEN), area, status=409)
    except TooManyHoldsError:
        return await _week_page(request, organisation, gettext(MANY), area, status=429)
    held = {"id": name, "starts_ms": starts_ms, "until_ms": until_ms, "zone": zone, "area": area}
    session[hold_key(organisation.id)] = held
    raise web.HTTPSeeOther(f"/{organisation.id}/appointments/new")


async def new(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/appointments/new with the patient information form.

    The form books the time that is reserved for this browser. If no time is reserved, redirect to the visit that this
    browser booked last, or to the bookable times.
    """
    organisation = await organisation_of(request)
    held = _held(await sessions.get(request), organisation)
    if held is None:
        raise web.HTTPSeeOther(await _path_without_hold(request, organisation))
    form = patient_form.empty(organisation, current())
    return await _form_page(request, organisation, held, form, {})


async def book(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/appointments/new: book the reserved time. A form that is sent twice books once.

    If the time is no longer free, because the ten minutes of its reservation are over, the form is shown again, with
    the patient's input and the free times.
    """
    organisation = await organisation_of(request)
    posted = await read_form(request, PATIENT_BYTES)
    session = await sessions.get(request)
    held = _held(session, organisation)
    if held is None:
        raise web.HTTPSeeOther(await _path_without_hold(request, organisation))
    chosen_ms = moment_of(posted.get("starts", "")) or held["starts_ms"]
    form, errors, found = patient_form.check(posted, organisation, today_anywhere())
    if found is None:
        return await _form_page(request, organisation, {**held, "starts_ms": chosen_ms}, form, errors)
    desk = request.app[DESK]
    try:
        made = await desk.made(organisation, held["id"])
        if made is None:
            async with request.app[OPENINGS].booking(request, organisation.id, found.email):
                made = await desk.make(
                    organisation.within(held["area"]),
                    chosen_ms,
                    found,
                    hold=held["id"],
                    holder=_address(request),
                    language=current(),
                    zone=held["zone"],
                    area=held["area"],
                )
    except TimeTakenError:
        errors = {"starts": gettext(TAKEN)}
        return await _form_page(request, organisation, held, form, errors, choose_again=True)
    except BlockedError as blocked:
        if count := due("booking.refused"):
            log.info("booking.refused", organisation=organisation.id, count=count)
        later = gettext(MANY_BOOKED).format(hours=-(-blocked.retry_s // 3600))
        shown = {**held, "starts_ms": chosen_ms}
        response = await _form_page(request, organisation, shown, form, {}, later=later)
        response.set_status(429)
        response.headers["Retry-After"] = str(blocked.retry_s)
        return response
    session.pop(hold_key(organisation.id), None)
    session[booked_key(organisation.id)] = made.id
    log.info("visit.booked", organisation=organisation.id)
    raise web.HTTPSeeOther(f"/{organisation.id}/appointments/{desk.links.token(organisation.id, made.id)}")


async def _path_without_hold(request: web.Request, organisation: Organisation) -> str:
    """Return the path of the visit that this browser booked last, because a person may come back to the form or send it
    again after the visit was booked; without such a visit, the path of the bookable times.
    """
    booked = await booked_here(request, organisation)
    return booked["path"] if booked else f"/{organisation.id}/appointments"


def _held(session: Session, organisation: Organisation) -> dict[str, Any] | None:
    found = session.get(hold_key(organisation.id))
    if not isinstance(found, dict):
        return None
    area = found.get("area", "")
    return {**found, "area": area if area in organisation.area_names else ""}


def _address(request: web.Request) -> str:
    return neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))


def moment_of(text: str) -> int:
    """Return the time that a text of digits names, in ms since the epoch; 0 for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 14 else 0


def _times_path(organisation: Organisation, area: str) -> str:
    """Return the path of the page with the bookable times of the organisation, or of a waiting area.

    `area`: the id of the waiting area, "" for the organisation.
    """
    return home(organisation, area) if area else f"/{organisation.id}/appointments"


async def _week_page(
    request: web.Request, organisation: Organisation, error: str | None, area: str = "", *, status: int = 200
) -> web.Response:
    shown = await calendar_week(request, organisation.within(area))
    if not shown:
        raise web.HTTPSeeOther(f"/{organisation.id}")
    context = {
        "week": shown,
        "week_path": _times_path(organisation, area),
        "week_action": hold_path(organisation, area),
        "error": error,
    }
    return page(request, "calendar/choose.html", context, title=gettext("Book a time"), status=status)


async def _form_page(
    request: web.Request,
    organisation: Organisation,
    held: dict[str, Any],
    form: dict[str, str],
    errors: dict[str, str],
    *,
    choose_again: bool = False,
    later: str = "",
) -> web.Response:
    zone = held["zone"] or organisation.timezone
    others = []
    if choose_again:
        shown = await calendar_week(request, organisation.within(held["area"]))
        others = [(starts_ms, when_words(starts_ms, zone)) for starts_ms in shown.get("starts_ms", [])[:40]]
    context = {
        **form_context(organisation, form, errors),
        "times_path": _times_path(organisation, held["area"]),
        "starts_ms": held["starts_ms"],
        "until_ms": held["until_ms"],
        "when": when_words(held["starts_ms"], zone),
        "others": others,
        "later": later,
        "state_label": gettext("Where will you be at that time?"),
    }
    title = gettext("Please check: your information") if errors else gettext("Your information")
    return page(request, "calendar/new.html", context, title=title, status=422 if errors else 200)
