"""Serves the pages for people without an account: the public-facing calendar, patient information, the visit.

The rules of a visit are defined in signalling, those of the form's fields in `web/intake/information_form.py`. The
POST of the patient information opens the visit: the setup guide and the wait begin.
"""

import secrets
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from signalling.service import Service, new_id
from signalling.visit.messages import MOST_ANSWERS
from signalling.visit.record import PatientInformation, Visit
from web.appointments.words import zone_words
from web.channels.push import WORKER
from web.errors import BlockedError
from web.identity import sessions
from web.identity.visitors import add_visit, patient, visit_of, visit_path, visits_of
from web.intake import information_form as patient_form
from web.intake.availability import availability
from web.intake.information_form import today_anywhere
from web.intake.opening import id_of_form, open_once
from web.intake.wait_words import wait_words
from web.keys import OPENINGS, ORGANISATION, ORGANISATIONS, PUSH, SERVICE, SESSIONS, TEXT_SERVICES
from web.languages.i18n import N_, current, day_names, filled, gettext, time_words
from web.organisations.by_path import organisation_of
from web.organisations.opening_hours import opens_next
from web.organisations.settings import LANGUAGES, Organisation
from web.pages.appointments.week import booked_here, booking_paths, calendar_week
from web.pages.errors import not_found
from web.pages.rendering import error_page, live, page
from web.requests import frames
from web.requests.fields import PATIENT_BYTES, read_form
from web.requests.security import SAFE_METHODS

FORM_AGE_S = 24 * 3600
MANY = N_(
    "Many visits have just been opened from where you are, more than we take in ten minutes. Yours is not open yet. "
    "Send this form again in {minutes} min: what you wrote is kept."
)

SHUT = N_("We have closed while you filled this in. What you wrote stays here as long as this page is open.")
SHUT_UNTIL = N_(
    "We have closed while you filled this in. Meet Now opens {when}. What you wrote stays here as long as this page is "
    "open."
)
NOBODY = N_(
    "No clinician is on call any more. What you wrote is kept: send this form again in a few minutes."
)


async def start(request: web.Request) -> web.Response:
    """Answer GET /: redirect to the only organisation; with several or none, show a page that names none of them."""
    names = await request.app[ORGANISATIONS].list()
    if len(names) == 1:
        raise web.HTTPSeeOther(f"/{names[0]}")
    text = gettext("Use the link that your clinic gave you: its address goes on after the last slash.")
    if not names:
        text = gettext(
            "No clinic is set up on this server yet. If it is yours, type “greenroom init” at its terminal."
        )
    return error_page(request, 200, gettext("Which clinic?"), text, [])


async def calendar(request: web.Request) -> web.Response:
    """Answer GET /{organisation} with the public-facing calendar."""
    return await _calendar(request, await organisation_of(request), "")


async def area_calendar(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/{area} with the calendar of a waiting area."""
    organisation, area = await organisation_of(request), request.match_info["area"]
    if area not in organisation.area_names:
        return await no_such_page(request)
    return await _calendar(request, organisation.within(area), area)


async def _calendar(request: web.Request, organisation: Organisation, area: str) -> web.Response:
    request[ORGANISATION] = organisation
    visits = await open_visits(request, organisation)
    local = datetime.now(ZoneInfo(organisation.timezone))
    hours = [
        {"day": name, "spans": [_span_words(*span) for span in spans], "today": day == local.weekday()}
        for day, (name, spans) in enumerate(zip(day_names(), organisation.hours, strict=True))
    ]
    context = {
        "hours": hours,
        "meet_now": await meet_now(request.app[SERVICE], organisation, area),
        "information_path": _information_path(organisation, area),
        "areas": [] if area else [(f"/{organisation.id}/{one.id}", one.name) for one in organisation.areas],
        "open_visits": [(_path(organisation, visit), visit.patient.name) for visit in visits],
        "welcome": organisation.translated(organisation.welcome, current()),
        "notice": organisation.translated(organisation.notice, current()),
        "private": False,
        "week": await calendar_week(request, organisation),
        "booked": await booked_here(request, organisation),
        "week_path": home(organisation, area),
        "week_action": hold_path(organisation, area),
    }
    alike = not (context["open_visits"] or context["booked"])
    return page(request, "calendar.html", context, title=organisation.name, unmixed=True, alike=alike)


async def shut_words(service: Service, organisation: Organisation, area: str = "") -> str:
    """Return a sentence that says why a filled-in form cannot be sent now, and when it can be sent; "" if it can be
    sent now.

    `area`: the id of a waiting area, "" for none. Raises `UnavailableError` if the store does not answer.
    """
    found = await availability(service, organisation, area)
    if found.why is None:
        return ""
    if found.why == "nobody_on_call":
        return gettext(NOBODY)
    opens = opens_next(organisation, found.at)
    return gettext(SHUT_UNTIL).format(when=opens) if opens else gettext(SHUT)


def _span_words(opens: str, closes: str) -> str:
    """Return opening hours in words: "9:00 AM – 5:30 PM". `opens`, `closes`: times as "HH:MM", or "24:00"."""
    if (opens, closes) == ("00:00", "24:00"):
        return gettext("All day")
    opening, closing = (
        gettext("midnight") if at == "24:00" else time_words(time.fromisoformat(at)) for at in (opens, closes)
    )
    return f"{opening} – {closing}"


def _information_path(organisation: Organisation, area: str) -> str:
    return f"/{organisation.id}/information" + (f"?area={area}" if area else "")


def home(organisation: Organisation, area: str) -> str:
    """Return the path of the calendar of a waiting area; for "", the path of the organisation's calendar."""
    return f"/{organisation.id}" + (f"/{area}" if area else "")


def hold_path(organisation: Organisation, area: str) -> str:
    """Return the path to which the calendar of an area sends a chosen time. `area`: the area's id, "" for none."""
    return f"/{organisation.id}/appointments/hold" + (f"?area={area}" if area else "")


async def _within(request: web.Request) -> tuple[Organisation, str]:
    """Return the settings as they apply in the waiting area of `?area=`, and the id of that area.

    Without such an area, return the settings of the organisation and "". The settings are also stored in the
    request, for later handlers.
    """
    organisation = await organisation_of(request)
    area = asked_area(request, organisation)
    within = request[ORGANISATION] = organisation.within(area)
    return within, area


def asked_area(request: web.Request, organisation: Organisation) -> str:
    """Return the id of the waiting area that `?area=` names in the request's address; "" for none."""
    asked = request.query.get("area", "")
    return asked if asked in organisation.area_names else ""


async def meet_now(service: Service, organisation: Organisation, area: str = "") -> dict[str, Any]:
    """Return the values that a page shows about Meet Now, such as whether it is available and the expected wait.

    `area`: the id of a waiting area, "" for none. Raises `UnavailableError` if the store does not answer.
    """
    found = await availability(service, organisation, area)
    return {
        "available": found.why is None,
        "why": found.why,
        "opens": opens_next(organisation, found.at) if found.why == "closed" else None,
        "zone": zone_words(service.clock_ms(), organisation.timezone),
        "on_call": found.on_call,
        "waiting": found.waiting,
        "wait": wait_words(found.wait_ms) if organisation.policy.show_wait else None,
    }


async def information(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/information with the form; redirect to this browser's visit if one is open.

    With `?another`, return the form for another person, who then has a visit of their own.
    """
    organisation, area = await _within(request)
    if "another" not in request.query and (visits := await open_visits(request, organisation)):
        raise web.HTTPSeeOther(_path(organisation, visits[0]))
    if (await availability(request.app[SERVICE], organisation, area)).why is not None:
        # The redirect leads to the calendar, which says why no visit can be opened.
        raise web.HTTPSeeOther(home(organisation, area))
    form = patient_form.empty(organisation, current())
    drawn = _form_page(request, organisation, form, {}, another="another" in request.query, alike=True)
    return _with_form_cookie(request, drawn)


async def open_a_visit(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/information: open the visit; the setup guide and the wait begin.

    If the form is sent twice (a double click, a reload), it opens only one visit: the form's cookie determines the
    visit's id. If this browser has an open visit of another person, the page first asks whether the form is for a
    further person.
    """
    organisation, area = await _within(request)
    posted = await read_form(request, PATIENT_BYTES)
    form, errors, found = patient_form.check(posted, organisation, today_anywhere())
    visits = await open_visits(request, organisation)
    same = next((visit for visit in visits if found is not None and is_same(visit.patient, found)), None)
    if same is not None:
        raise web.HTTPSeeOther(_path(organisation, same))
    shut = await shut_words(request.app[SERVICE], organisation, area)
    if shut:
        return _later(request, organisation, form, shut, status=409)
    if found is None:
        return _form_page(request, organisation, form, errors, another="another" in posted)
    if visits and "another" not in posted:
        held = [(_path(organisation, visit), visit.patient.name) for visit in visits]
        return _with_form_cookie(request, _asked(request, organisation, form, held))
    try:
        visit_id = await _opened(request, organisation, found, area)
    except BlockedError as blocked:
        later = gettext(MANY).format(minutes=-(-blocked.retry_s // 60))
        response = _later(request, organisation, form, later, status=429)
        response.headers["Retry-After"] = str(blocked.retry_s)
        return response
    session = await sessions.get(request)
    add_visit(session, organisation.id, visit_id)
    response = web.Response(status=303, headers={"Location": visit_path(session, organisation.id)})
    _set_form_cookie(request, response, "")
    return response


async def _opened(
    request: web.Request, organisation: Organisation, found: PatientInformation, area: str
) -> str:
    """Open a visit under the id that belongs to this form, or under a new id if that visit has ended; return the id.

    A form that is sent twice opens one visit. `found`: the patient's data; `area`: the id of the waiting area or "".
    """
    visit_id = id_of_form(organisation.id, frames.cookie_of(request, _form_cookie(request)))
    for one in (visit_id, new_id("v")):
        limit = request.app[OPENINGS].one(request, organisation.id)
        actor = patient(organisation.id, one, found.name)
        visit = await open_once(request.app[SERVICE], actor, found, one, area=area, limit=limit)
        if visit.is_open:
            break
    return visit.id


async def visit_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/visit with the patient's single page, from the setup guide to the end.

    `?visit=`: the visit's id, if this browser has several visits; by default the visit that was opened last.
    """
    organisation = await organisation_of(request)
    session = await sessions.get(request)
    visit_id = visit_of(session, organisation.id, request.query.get("visit"))
    visit = await request.app[SERVICE].visit(organisation.id, visit_id) if visit_id else None
    if visit is None:
        raise web.HTTPSeeOther(f"/{organisation.id}")
    boot = {
        **live(request, organisation, "patient/app.js"),
        "visit": visit.id,
        "visits": visits_of(session, organisation.id),
        "ws": f"/{organisation.id}/ws?visit={visit.id}",
        "home": f"/{organisation.id}",
        **booking_paths(organisation, visit.area_id),
        "contact": {
            "text": await request.app[TEXT_SERVICES].has(organisation.id),
            "push": {"key": request.app[PUSH].public_key, "worker": WORKER},
        },
        "answers": MOST_ANSWERS if organisation.policy.answers_waiting else 0,
        "main": organisation.main_language,
        # Only the texts in the current language. If the patient switches the language, the script requests
        # the page in the other language, and takes the texts from there.
        "texts": {current(): organisation.translations.get(current(), {})},
        "survey": msgspec.to_builtins(organisation.survey) if organisation.policy.survey else None,
    }
    return page(request, "visit.html", {"boot": boot}, title=gettext("Your visit"), unmixed=True)


async def no_such_page(request: web.Request) -> web.Response:
    """Answer every other path below an organisation with a 404 page that links to existing pages."""
    organisation = await organisation_of(request)
    if request.method not in SAFE_METHODS:
        raise web.HTTPNotFound
    if request.path.endswith("/"):
        raise web.HTTPPermanentRedirect(request.path.rstrip("/"))
    links = [
        (filled(gettext("Go to {name}"), name=organisation.name), f"/{organisation.id}"),
        (gettext("Staff: sign in"), f"/{organisation.id}/staff"),
    ]
    return not_found(
        request,
        gettext("There is no such page"),
        gettext("The address may be mistyped, or what was here is gone."),
        links,
    )


async def open_visits(request: web.Request, organisation: Organisation) -> list[Visit]:
    """Return the visits of this browser at the organisation that have not ended; the visit opened last comes first."""
    held = visits_of(await sessions.get(request), organisation.id)
    found = [await request.app[SERVICE].visit(organisation.id, visit_id) for visit_id in held]
    return [visit for visit in found if visit is not None and visit.is_open]


def is_same(patient: PatientInformation, other: PatientInformation) -> bool:
    """Return whether the patient information of two forms is about the same person, by name and date of birth."""
    names = patient.name.casefold().split(), other.name.casefold().split()
    return names[0] == names[1] and patient.birth_date == other.birth_date


def _path(organisation: Organisation, visit: Visit) -> str:
    return f"/{organisation.id}/visit?visit={visit.id}"


def form_context(
    organisation: Organisation, form: dict[str, str], errors: dict[str, str], area: str = ""
) -> dict[str, Any]:
    """Return the values for the template of the patient information form, which opens a visit in this waiting area.

    `form`: the values of the fields; `errors`: field -> sentence; `area`: the area's id, "" for none.
    """
    return {
        "form": form,
        "errors": errors,
        "area": area,
        "regions": list(organisation.regions.items()),
        "languages": [(code, LANGUAGES[code]) for code in organisation.languages],
    }


def _form_page(
    request: web.Request,
    organisation: Organisation,
    form: dict[str, str],
    errors: dict[str, str],
    *,
    another: bool,
    alike: bool = False,
) -> web.Response:
    context = {
        **form_context(organisation, form, errors, asked_area(request, organisation)),
        "another": another,
    }
    title = gettext("Please check: your information") if errors else gettext("Your information")
    return page(request, "information.html", context, title=title, status=422 if errors else 200, alike=alike)


def _asked(
    request: web.Request, organisation: Organisation, form: dict[str, str], visits: list[tuple[str, str]]
) -> web.Response:
    """Return a page that contains the sent form, and asks whether the form is for a further person.

    `visits`: the open visits of this browser, as pairs of path and patient's name.
    """
    context = {**form_context(organisation, form, {}, asked_area(request, organisation)), "visits": visits}
    title = gettext("A second visit? Your information")
    return page(request, "information.html", context, title=title, status=409)


def _later(
    request: web.Request, organisation: Organisation, form: dict[str, str], later: str, *, status: int
) -> web.Response:
    """Return the page with the sent form and with the sentence `later`, which says when to send the form again."""
    book = status == 409 and organisation.booking.enabled
    context = {
        **form_context(organisation, form, {}, asked_area(request, organisation)),
        "later": later,
        "book": book,
    }
    title = gettext("Please try again later: your information")
    return page(request, "information.html", context, title=title, status=status)


def _form_cookie(request: web.Request) -> str:
    return request.app[SESSIONS].cookie_name + "-form"


def _with_form_cookie(request: web.Request, response: web.Response) -> web.Response:
    """Return the response. If the browser has no form cookie, the response sets this cookie to a random value."""
    if not frames.cookie_of(request, _form_cookie(request)):
        _set_form_cookie(request, response, secrets.token_urlsafe(24))
    return response


def _set_form_cookie(request: web.Request, response: web.Response, nonce: str) -> None:
    secure = request.app[SESSIONS].cookie_params["secure"]
    response.set_cookie(
        _form_cookie(request),
        nonce,
        max_age=FORM_AGE_S if nonce else 0,
        path=request.app[SESSIONS].path,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
