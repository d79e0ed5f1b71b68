"""Serves the staff's calendar: booked visits and check-ins; staff can change the time of a booked visit or cancel it
for the patient.

The rules of booked visits are defined in `web.appointments`. All staff may open the calendar.
"""

from datetime import date, timedelta
from typing import Any

from aiohttp import web

from web.appointments.appointment import Appointment, Status, may_change, missed
from web.appointments.slots import WEEK, local, midnight_ms
from web.appointments.words import clock_words, when_words, zone_name
from web.errors import TimeTakenError, TooLateError
from web.identity.accounts import Account
from web.identity.visitors import require
from web.keys import DESK, SETTINGS
from web.languages.i18n import N_, date_words, filled, gettext
from web.organisations.by_path import organisation_of
from web.organisations.opening_hours import opens_on
from web.organisations.settings import LANGUAGES, Organisation
from web.pages.appointments.booking import TAKEN, moment_of
from web.pages.appointments.week import calendar_week
from web.pages.errors import not_found
from web.pages.rendering import page
from web.pages.staff.frame import staff_page
from web.requests.fields import read_form

VIEWS = {"day": 1, "week": WEEK}
TOO_LATE = N_("That cannot be done any more: its time has come, or it is cancelled already.")
NO_SUCH = N_("There is no such booked visit")
REASON_LONGEST = 500
LEADS = {
    True: N_("It is booked for {when}. The patient gets a letter about the new time."),
    False: N_("It is booked for {when}. No email is sent: please tell the patient the new time."),
}
"""The text above the times from which staff choose a new time for a booked visit. The key is True if this server can
send mails.
"""


async def calendar(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/calendar with the booked visits of the day in `?day=`.

    With `?view=week`, the page has the week of that day.
    """
    organisation, account = await _staff(request)
    return await _calendar_page(request, organisation, account)


async def cancel(request: web.Request) -> web.Response:
    """Answer POST …/{appointment}/cancel: cancel the booked visit.

    If an SMTP server is configured, the patient gets a mail, with the reason that staff may write in the form.
    Otherwise the page asks staff to call the patient.
    """
    organisation, account = await _staff(request)
    reason = " ".join((await read_form(request)).get("reason", "").split())[:REASON_LONGEST]
    found = await _appointment(request, organisation)
    if found is None:
        return _no_such(request, organisation)
    try:
        await request.app[DESK].cancel(organisation, found.id, account.name, reason)
    except TooLateError:
        return await _calendar_page(request, organisation, account, gettext(TOO_LATE), status=409)
    raise web.HTTPSeeOther(_path(organisation, local(organisation, found.starts_ms).date()))


async def choose(request: web.Request) -> web.Response:
    """Answer GET …/{appointment}/move with the week of bookable times, to choose another time for the patient."""
    organisation, account = await _staff(request)
    found = await _appointment(request, organisation)
    if found is None:
        return _no_such(request, organisation)
    return await _week_page(request, organisation, account, found, None)


async def move(request: web.Request) -> web.Response:
    """Answer POST …/{appointment}/move: give a booked visit another time, which the form contains.

    The patient gets a mail if an SMTP server is configured; otherwise the page asks staff to inform the patient.
    """
    organisation, account = await _staff(request)
    starts_ms = moment_of((await read_form(request)).get("starts", ""))
    found = await _appointment(request, organisation)
    if found is None:
        return _no_such(request, organisation)
    try:
        moved = await request.app[DESK].move(organisation, found.id, starts_ms)
    except TimeTakenError:
        return await _week_page(request, organisation, account, found, gettext(TAKEN), status=409)
    except TooLateError:
        return await _calendar_page(request, organisation, account, gettext(TOO_LATE), status=409)
    raise web.HTTPSeeOther(_path(organisation, local(organisation, moved.starts_ms).date()))


async def _staff(request: web.Request) -> tuple[Organisation, Account]:
    organisation = await organisation_of(request)
    return organisation, await require(request, organisation.id)


async def _appointment(request: web.Request, organisation: Organisation) -> Appointment | None:
    return await request.app[DESK].book.get(organisation.id, request.match_info["appointment"])


def _no_such(request: web.Request, organisation: Organisation) -> web.Response:
    links = [(gettext("Calendar"), _path(organisation))]
    return not_found(request, gettext(NO_SUCH), gettext("It may have been erased since."), links)


def _path(organisation: Organisation, day: date | None = None, view: str = "day") -> str:
    query = "" if day is None else f"?view={view}&day={day.isoformat()}"
    return f"/{organisation.id}/staff/calendar{query}"


async def _calendar_page(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    error: str | None = None,
    *,
    status: int = 200,
) -> web.Response:
    now_ms = request.app[DESK].now_ms()
    today = local(organisation, now_ms).date()
    view = request.query.get("view", "day")
    view = view if view in VIEWS else "day"
    day = _day(request.query.get("day", ""), today)
    first = day if view == "day" else day - timedelta(days=day.weekday())
    days = [first + timedelta(days=ahead) for ahead in range(VIEWS[view])]
    bounds = [midnight_ms(organisation, at) for at in (first, days[-1] + timedelta(days=1))]
    booked = await request.app[DESK].book.between(organisation.id, bounds[0], bounds[1])
    rows: dict[date, list[dict[str, Any]]] = {at: [] for at in days}
    for one in booked:
        rows[local(organisation, one.starts_ms).date()].append(await _row(request, organisation, one, now_ms))
    context = {
        "view": view,
        "views": [
            ("day", gettext("Day"), _path(organisation, day)),
            ("week", gettext("Week"), _path(organisation, day, "week")),
        ],
        "range": _range(days),
        "earlier": _path(organisation, day - timedelta(days=VIEWS[view]), view),
        "later": _path(organisation, day + timedelta(days=VIEWS[view]), view),
        "today": _path(organisation, today, view),
        "is_today": today in days,
        "days": [
            {
                "date": at.isoformat(),
                "words": date_words(at, "full"),
                "today": at == today,
                "closed": not opens_on(organisation, at),
                "rows": rows[at],
            }
            for at in days
        ],
        "zone": zone_name(request.app[DESK].now_ms(), organisation.timezone),
        "booking": organisation.booking.enabled,
        "error": error,
    }
    return staff_page(
        request,
        organisation,
        account,
        "calendar",
        "calendar/staff.html",
        context,
        gettext("Calendar"),
        status,
    )


async def _row(
    request: web.Request, organisation: Organisation, appointment: Appointment, now_ms: int
) -> dict[str, Any]:
    visit = await request.app[DESK].visit(appointment)
    zone, patient = organisation.timezone, appointment.patient
    at = appointment.checked_in_ms
    return {
        "id": appointment.id,
        "clock": clock_words(appointment.starts_ms, zone),
        "name": patient.name,
        "phone": patient.phone_shown or patient.phone,
        "state": organisation.regions.get(patient.state, patient.state),
        "language": LANGUAGES.get(patient.language, patient.language),
        "area": organisation.area_names.get(appointment.area, ""),
        "reason": patient.reason,
        "filled_in_by": patient.filled_in_by,
        "cancelled": appointment.status is Status.CANCELLED,
        "cancelled_by": appointment.cancelled_by,
        "missed": missed(appointment, now_ms),
        "checked_in": None if at is None else clock_words(at, zone),
        "visit_status": None if visit is None else str(visit.status),
        "moved": appointment.moved,
        "may_change": may_change(appointment, now_ms),
    }


async def _week_page(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    appointment: Appointment,
    error: str | None,
    *,
    status: int = 200,
) -> web.Response:
    if not may_change(appointment, request.app[DESK].now_ms()):
        return await _calendar_page(request, organisation, account, gettext(TOO_LATE), status=409)
    shown = await calendar_week(request, organisation.within(appointment.area), but=appointment.id)
    if not shown:
        off = gettext("Booking is switched off, so there are no times to move to.")
        return await _calendar_page(request, organisation, account, off, status=409)
    path = f"{_path(organisation)}/{appointment.id}/move"
    back = _path(organisation, local(organisation, appointment.starts_ms).date())
    when = when_words(appointment.starts_ms, organisation.timezone)
    context = {
        "week": shown,
        "week_path": path,
        "week_action": path,
        "back": back,
        "heading": filled(gettext("Move the visit of {name}"), name=appointment.patient.name),
        "lead": gettext(LEADS[request.app[SETTINGS].mails]).format(when=when),
        "error": error,
    }
    return page(request, "calendar/choose.html", context, title=gettext("Move a booked visit"), status=status)


def _range(days: list[date]) -> str:
    if len(days) == 1:
        return date_words(days[0], "full")
    # Translators: a week, such as "November 23, 2026 to November 29, 2026".
    return gettext("{first} to {last}").format(
        first=date_words(days[0], "long"), last=date_words(days[-1], "long")
    )


def _day(text: str, today: date) -> date:
    """Return the date in the text if it is within 1000 days of today; otherwise return `today`."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if abs((found - today).days) < 1000 else today
