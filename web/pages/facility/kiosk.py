"""Serves a facility's kiosk: its staff add patients to the queue, see their state, and take a call on this device.

A person who has the link needs no other sign-in. A browser shows only patients that it added itself, and only their
initials, because other people may see the screen; typed texts are cleared after a while (kiosk.js).
"""

import secrets
from typing import Any

from aiohttp import web

from signalling.visit import commands as c
from signalling.visit import waiting
from signalling.visit.record import Actor, Outcome, Role, Status, Visit
from web.audit.noting import noted
from web.identity import sessions
from web.identity.throttle import TokenKind, guess
from web.identity.visitors import visit_key, visit_path
from web.intake import information_form as patient_form
from web.intake.availability import availability, wait_at
from web.intake.information_form import initials, today_anywhere
from web.intake.opening import id_of_form, open_once
from web.intake.wait_words import wait_words
from web.keys import FACILITIES, SERVICE
from web.languages.i18n import N_, current
from web.languages.i18n import gettext as _
from web.organisations.by_path import organisation_of
from web.organisations.facilities import Facility
from web.organisations.settings import Organisation
from web.pages.errors import not_found
from web.pages.patient.visit import form_context, meet_now
from web.pages.rendering import page
from web.requests.fields import PATIENT_BYTES, read_form

SHOWN_MS = 3_600_000
"""How long a patient stays on the list after the end of the visit, in ms."""
KEPT_MS = 24 * 3_600_000
MOST = 100
IDLE_S, WARNED_S = 90, 20
"""Two times in s. A screen that nobody touches shows a warning after the first time, and is cleared after the second.

The second time begins at the warning. WCAG 2.2.1 requires at least 20 s in which a person can keep the screen."""
BECAME = {
    Outcome.COMPLETED: N_("The visit is over."),
    Outcome.BY_PHONE: N_("The visit is over."),
    Outcome.DECLINED: N_("The clinic cannot take this visit. The reason is on the patient’s page."),
    Outcome.WITHDRAWN: N_("No longer in line."),
    Outcome.CLOSED: N_("No longer in line: the clinic has closed."),
    Outcome.EXPIRED: N_("No longer in line: nobody came to the device for too long."),
}


async def kiosk(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/facility/{token} with the form, and the list of patients added by this browser."""
    organisation, facility = await _facility(request)
    if facility is None:
        return _revoked(request)
    await noted(request, "facility.read", facility.id, who=_actor(organisation, facility).id)
    form = patient_form.empty(organisation, current())
    return await _page(request, organisation, facility, form, {}, _area(organisation, facility))


async def place(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/facility/{token}: add a patient to the queue.

    A form that is sent twice adds only one patient.
    """
    organisation, facility = await _facility(request)
    if facility is None:
        return _revoked(request)
    posted = await read_form(request, PATIENT_BYTES)
    form, errors, found = patient_form.check(posted, organisation, today_anywhere())
    area = _area(organisation, facility, posted.get("area", ""))
    shut = (await availability(request.app[SERVICE], organisation.within(area), area)).why is not None
    # The patient cannot be added now. The page says why, and keeps the typed texts.
    if found is None or shut:
        return await _page(request, organisation, facility, form, errors, area)
    visit_id = id_of_form(organisation.id, posted.get("once", ""), facility.id)
    visit = await open_once(request.app[SERVICE], _actor(organisation, facility), found, visit_id, area=area)
    await _keep(request, organisation, facility, visit.id)
    raise web.HTTPSeeOther(f"{request.path}?placed")


async def rows(request: web.Request) -> web.Response:
    """Answer GET …/facility/{token}/list with the list only, which the page loads every few seconds."""
    organisation, facility = await _facility(request)
    if facility is None:
        return _revoked(request)
    context = {"rows": await _rows(request, organisation, facility), "path": _path(request, organisation)}
    return page(request, "facility/rows.html", context, title="")


async def act(request: web.Request) -> web.Response:
    """Answer POST …/facility/{token}/visits/{visit}: take the patient's call on this device, or remove the patient."""
    organisation, facility = await _facility(request)
    if facility is None:
        return _revoked(request)
    visit_id, do = request.match_info["visit"], (await read_form(request)).get("do")
    if visit_id not in await _placed(request, organisation, facility):
        raise web.HTTPNotFound
    if do == "take":
        session = await sessions.get(request)
        # The visit is not added to those of this browser, but replaces the last: the device is for all patients of
        # the facility.
        session[visit_key(organisation.id)] = visit_id
        await noted(request, "visit.linked", visit_id, who=_actor(organisation, facility).id)
        raise web.HTTPSeeOther(visit_path(session, organisation.id))
    if do == "withdraw":
        await request.app[SERVICE].command(_actor(organisation, facility), visit_id, c.Withdraw())
        # If the action is refused, the list shows the visit's current state.
        raise web.HTTPSeeOther(_path(request, organisation))
    raise web.HTTPBadRequest


async def _facility(request: web.Request) -> tuple[Organisation, Facility | None]:
    organisation = await organisation_of(request)
    facilities, token = request.app[FACILITIES], request.match_info["token"]
    named = await facilities.named(organisation.id, token)
    async with guess(request, organisation.id, TokenKind.FACILITY, named.id if named else "") as attempt:
        if named is None or not facilities.opens(named, token):
            return organisation, None
        attempt.succeeded()
    return organisation, named


def _area(organisation: Organisation, facility: Facility, chosen: str = "") -> str:
    """Return the id of a patient's waiting area: the facility's own area, otherwise the chosen area; "" for none."""
    return next((area for area in (facility.area, chosen) if area in organisation.area_names), "")


def _revoked(request: web.Request) -> web.Response:
    text = _("It was revoked or is cut off. Ask the clinic for a new one.")
    return not_found(request, _("This facility link opens nothing"), text, [])


def _actor(organisation: Organisation, facility: Facility) -> Actor:
    return Actor(
        organisation=organisation.id,
        id=f"facility:{facility.id}",
        name=facility.name,
        role=Role.FACILITY,
    )


def _path(request: web.Request, organisation: Organisation) -> str:
    return f"/{organisation.id}/facility/{request.match_info['token']}"


def _prefix(organisation: Organisation, facility: Facility) -> str:
    return f"kiosk:{organisation.id}:{facility.id}:"


async def _placed(request: web.Request, organisation: Organisation, facility: Facility) -> dict[str, int]:
    """Return the visits that this browser opened at the facility: id -> time of the opening in ms since the epoch."""
    session, prefix = await sessions.get(request), _prefix(organisation, facility)
    return {key.removeprefix(prefix): at for key, at in session.items() if key.startswith(prefix)}


async def _keep(request: web.Request, organisation: Organisation, facility: Facility, visit_id: str) -> None:
    """Store in the browser's session that this browser has opened the visit, and remove old visits.

    Each visit has a key of its own, so that two tabs do not overwrite each other's visits.
    """
    session, prefix = await sessions.get(request), _prefix(organisation, facility)
    now_ms = request.app[SERVICE].clock_ms()
    placed = await _placed(request, organisation, facility)
    newest = sorted(placed, key=lambda key: placed[key])[-MOST + 1 :]
    for old, at in placed.items():
        if old not in newest or now_ms - at > KEPT_MS:
            session.pop(prefix + old, None)
    session[prefix + visit_id] = now_ms


async def _rows(request: web.Request, organisation: Organisation, facility: Facility) -> list[dict[str, Any]]:
    service = request.app[SERVICE]
    mirror = await service.mirrors.get(organisation.id)
    now_ms, urgent_first = service.clock_ms(), organisation.policy.urgent_first
    found = []
    for visit_id in await _placed(request, organisation, facility):
        visit = await service.visit(organisation.id, visit_id)
        if visit is None or (visit.ended_ms is not None and now_ms - visit.ended_ms > SHOWN_MS):
            continue
        place = mirror.visits.place(visit.id, urgent_first=urgent_first)
        wait_ms = wait_at(mirror, place, now_ms, visit.area_id)
        rank = waiting.rank(visit, urgent_first=urgent_first)
        found.append((rank, _row(visit, organisation, place, wait_ms, now_ms)))
    return [row for _rank, row in sorted(found, key=lambda item: item[0])]


def _row(
    visit: Visit,
    organisation: Organisation,
    place: int | None,
    wait_ms: tuple[int, int] | None,
    now_ms: int,
) -> dict[str, Any]:
    policy = organisation.policy
    return {
        "id": visit.id,
        "initials": initials(visit.patient.name),
        "waited_min": max(0, (visit.claimed_ms or visit.ended_ms or now_ms) - visit.arrived_ms) // 60_000,
        "place": place if policy.show_place else None,
        "wait": wait_words(wait_ms) if policy.show_wait else None,
        "waits": visit.status is Status.QUEUED,
        "called": visit.status in (Status.CLAIMED, Status.LIVE),
        "by": visit.claimant.name if visit.claimant is not None else "",
        "became": "" if visit.outcome is None else _(BECAME[visit.outcome]),
    }


async def _page(
    request: web.Request,
    organisation: Organisation,
    facility: Facility,
    form: dict[str, str],
    errors: dict[str, str],
    area: str,
) -> web.Response:
    areas = organisation.area_names
    context = {
        **form_context(organisation, form, errors, area),
        "own_area": areas.get(facility.area, ""),
        "areas": list(areas.items()),
        "facility": facility.name,
        "form_path": request.path,
        "path": _path(request, organisation),
        "rows": await _rows(request, organisation, facility),
        "meet_now": await meet_now(request.app[SERVICE], organisation.within(area), area),
        "once": secrets.token_urlsafe(24),
        "placed": "placed" in request.query and not errors,
        "cleared": "cleared" in request.query and not errors,
        "shared_device": True,
        "idle_s": IDLE_S,
        "warned_s": WARNED_S,
        "state_label": _("Where is the patient now?"),
    }
    title = (_("Please check:") + " " if errors else "") + facility.name
    return page(request, "facility/kiosk.html", context, title=title, status=422 if errors else 200)


PATH = "/{organisation}/facility/{token}"
ROUTES = (
    web.get(PATH, kiosk),
    web.post(PATH, place),
    web.get(f"{PATH}/list", rows),
    web.post(f"{PATH}/visits/{{visit}}", act),
)
