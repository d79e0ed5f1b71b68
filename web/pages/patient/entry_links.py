"""Serves the pages of a patient's one-time link, which gives a browser access to a visit.

GET shows a page with one button, so that a preview of the link in a mail program does not use the link up; POST uses
the link. Used, expired and forged links get the same answer.
"""

from aiohttp import web

from web.audit.noting import noted
from web.identity import sessions
from web.identity.throttle import TokenKind, opened
from web.identity.visitors import add_visit, visit_path
from web.keys import PATIENT_LINKS, SERVICE
from web.languages.i18n import gettext as _
from web.organisations.by_path import organisation_of
from web.pages.errors import not_found
from web.pages.rendering import page


async def enter_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/enter/{token} with a page that has a button; only the button uses the link up."""
    organisation = await organisation_of(request)
    token, links = request.match_info["token"], request.app[PATIENT_LINKS]
    visit_id = await opened(request, organisation.id, TokenKind.PATIENT, token, links.peek, links.was_used)
    if visit_id is None:
        return _used_up(request)
    return page(request, "facility/enter.html", {"form_path": request.path}, title=_("Your visit"))


async def enter(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/enter/{token}: use the link up; this browser may show the visit from now on."""
    organisation = await organisation_of(request)
    token, links = request.match_info["token"], request.app[PATIENT_LINKS]
    visit_id = await opened(request, organisation.id, TokenKind.PATIENT, token, links.redeem, links.was_used)
    if visit_id is None or await request.app[SERVICE].visit(organisation.id, visit_id) is None:
        return _used_up(request)
    session = await sessions.get(request)
    add_visit(session, organisation.id, visit_id)
    await noted(request, "visit.linked", visit_id, who=f"patient:{visit_id}")
    raise web.HTTPSeeOther(visit_path(session, organisation.id))


def _used_up(request: web.Request) -> web.Response:
    organisation = request.match_info["organisation"]
    text = _(
        "It works once and not for long. If you have opened it before, in this browser, your visit is still there. "
        "Otherwise ask whoever gave it to you for a new one."
    )
    links = [
        (_("Go to your visit"), f"/{organisation}/visit"),
        (_("Start page"), f"/{organisation}"),
    ]
    return not_found(request, _("This link does not open a visit any more"), text, links)


PATH = "/{organisation}/enter/{token:[A-Za-z0-9_-]{16,64}}"

ROUTES = (
    web.get(PATH, enter_page),
    web.post(PATH, enter),
)
