"""Serves the set-up's page of facilities: adds and revokes facilities, changes their waiting areas, and shows each
link as text, QR code and poster.

The patients' own link has a QR code and a poster too.
"""

from typing import Any

from aiohttp import web

from web.audit.noting import noted
from web.errors import FacilityError
from web.keys import FACILITIES, SETTINGS
from web.languages.i18n import gettext as _
from web.organisations.by_path import organisation_of
from web.organisations.facilities import Facility
from web.organisations.settings import Organisation
from web.pages import qr
from web.pages.rendering import page
from web.pages.setup.frame import admin, draw, path_of, posted_to
from web.requests.security import origin_of

NAME = "facilities"


async def desk(request: web.Request) -> web.Response:
    """Answer GET …/setup/facilities with the list of facilities."""
    organisation, _account = await admin(request)
    return await _draw(request, organisation)


async def act(request: web.Request) -> web.Response:
    """Answer POST …/setup/facilities: carry out the action that the field `do` names.

    "add" adds a facility. "move" and "revoke" are followed by a space and a facility's id; "move" changes the waiting
    area of its patients.
    """
    organisation, account = await admin(request)
    posted = await posted_to(request)
    do, _space, which = posted.get("do", "").partition(" ")
    area = posted.get("area", "") if posted.get("area", "") in organisation.area_names else ""
    if do == "revoke":
        if await request.app[FACILITIES].revoke(organisation.id, which[:64]):
            await noted(request, "facility.revoked", which[:64])
    elif do == "move":
        if await request.app[FACILITIES].move(organisation.id, which[:64], area):
            await noted(request, "facility.moved", which[:64])
    elif do == "add":
        name = posted.get("name", "")[:200]
        try:
            added = await request.app[FACILITIES].add(organisation.id, name, account.name, area)
        except FacilityError as problem:
            errors = {"name": _(str(problem))}
            return await _draw(request, organisation, {"name": name, "area": area}, errors, 422)
        await noted(request, "facility.added", added.id)
    else:
        raise web.HTTPBadRequest
    raise web.HTTPSeeOther(path_of(organisation, NAME) + "?saved")


async def patient_qr(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/qr.svg with the QR code of the patients' link, which is not secret.

    `?area=`: the id of a waiting area, whose link is then in the code.
    """
    organisation = await organisation_of(request)
    area = request.query.get("area", "")
    path = f"{organisation.id}/{area}" if area in organisation.area_names else organisation.id
    return qr.answer(request, f"{_origin(request)}/{path}", path.replace("/", "-"))


async def facility_qr(request: web.Request) -> web.Response:
    """Answer GET …/setup/facilities/{facility}/qr.svg with the QR code of a facility's link."""
    organisation, facility = await _facility(request)
    return qr.answer(request, _url(request, organisation, facility), f"{organisation.id}-{facility.id}")


async def patient_poster(request: web.Request) -> web.Response:
    """Answer GET …/setup/links/poster with a page to print that shows the patients' link."""
    organisation, _account = await admin(request)
    context = {
        "heading": _("See a clinician by video"),
        "lead": _(
            "Scan this with the camera of your phone, or type the address. You need no app and no account."
        ),
        "url": _origin(request) + f"/{organisation.id}",
        "image": f"/{organisation.id}/qr.svg",
        "back": path_of(organisation, "links"),
    }
    return page(request, "facility/poster.html", context, title=context["heading"])


async def facility_poster(request: web.Request) -> web.Response:
    """Answer GET …/setup/facilities/{facility}/poster with a page to print that shows a facility's link."""
    organisation, facility = await _facility(request)
    context = {
        "heading": facility.name,
        "lead": _(
            "Scan this with the device on which patients are to be placed in the line. Keep the sheet where only staff "
            "see it: whoever has the link can place patients."
        ),
        "url": _url(request, organisation, facility),
        "image": path_of(organisation, f"{NAME}/{facility.id}/qr.svg"),
        "back": path_of(organisation, NAME),
    }
    return page(request, "facility/poster.html", context, title=facility.name)


async def _facility(request: web.Request) -> tuple[Organisation, Facility]:
    organisation, _account = await admin(request)
    facility = await request.app[FACILITIES].get(organisation.id, request.match_info["facility"][:64])
    if facility is None:
        raise web.HTTPNotFound
    return organisation, facility


def _origin(request: web.Request) -> str:
    return origin_of(request, request.app[SETTINGS].server.public_url.rstrip("/"))


def _url(request: web.Request, organisation: Organisation, facility: Facility) -> str:
    token = request.app[FACILITIES].token(organisation.id, facility)
    return f"{_origin(request)}/{organisation.id}/facility/{token}"


async def _draw(
    request: web.Request,
    organisation: Organisation,
    form: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    rows = [
        {
            "facility": facility,
            "url": _url(request, organisation, facility),
            "path": path_of(organisation, f"{NAME}/{facility.id}"),
        }
        for facility in await request.app[FACILITIES].of(organisation.id)
    ]
    context = {
        "form": form or {"name": "", "area": ""},
        "errors": errors or {},
        "rows": rows,
        "areas": list(organisation.area_names.items()),
    }
    return draw(request, organisation, NAME, "setup/facilities.html", context, status)
