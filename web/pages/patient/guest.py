"""Serves the pages of a guest: the one-time link, and the visit to which it gives access.

After the link is used, this browser takes part in a visit; signalling defines the guest's rights. When the link is
used, the token disappears from the address bar. All invalid links get the same answer.
"""

import structlog
from aiohttp import web

from signalling.store import keys
from web.identity import sessions
from web.identity.throttle import TokenKind, opened
from web.identity.visitors import guest, guest_key, guest_of
from web.keys import INVITES, SERVICE
from web.languages.i18n import N_, filled, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.rendering import error_page, live, page

RELATIONS = {
    "interpreter": N_("interpreter"),
    "family": N_("family"),
    "specialist": N_("specialist"),
    "trainee": N_("trainee"),
}
log = structlog.get_logger("web.guest")


async def join_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/join/{token} with the invitation and a button.

    The link is not used up when the page is opened. It leads the browser that has used it back to the visit.
    """
    organisation = await organisation_of(request)
    token = request.match_info["token"]
    if await _has_used(request, organisation, token):
        raise web.HTTPSeeOther(f"/{organisation.id}/guest")
    invites = request.app[INVITES]
    invite = await opened(request, organisation.id, TokenKind.GUEST, token, invites.look, invites.was_used)
    visit = None if invite is None else await request.app[SERVICE].visit_now(organisation.id, invite.visit)
    if invite is None or visit is None or not visit.is_open or invite.guest not in visit.parties:
        return _closed(request, organisation)
    party = visit.parties[invite.guest]
    context = {
        "name": party.name,
        "relation": gettext(RELATIONS[party.relation]) if party.relation in RELATIONS else "",
        "host": visit.claimant.name if visit.claimant is not None else organisation.name,
        "action": f"/{organisation.id}/join/{token}",
    }
    return page(request, "join.html", context, title=gettext("Join the session"))


async def join(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/join/{token}: use the link up; this browser may now take part as the guest."""
    organisation = await organisation_of(request)
    token, invites = request.match_info["token"], request.app[INVITES]
    if await _has_used(request, organisation, token):
        raise web.HTTPSeeOther(f"/{organisation.id}/guest")
    invite = await opened(request, organisation.id, TokenKind.GUEST, token, invites.redeem, invites.was_used)
    if invite is None:
        return _closed(request, organisation)
    session = await sessions.get(request)
    session[guest_key(organisation.id)] = {
        "visit": invite.visit,
        "guest": invite.guest,
        "link": keys.hashed(token),
    }
    log.info("guest.joined", organisation=organisation.id, visit=invite.visit)
    return web.Response(status=303, headers={"Location": f"/{organisation.id}/guest"})


async def guest_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/guest with the guest's single page, from the device check to the end."""
    organisation = await organisation_of(request)
    found = guest_of(await sessions.get(request), organisation.id)
    visit = None if found is None else await request.app[SERVICE].visit_now(organisation.id, found[0])
    if found is None or visit is None or guest(visit, found[1]) is None:
        return _closed(request, organisation)
    boot = {
        **live(request, organisation, "guest/app.js"),
        "visit": visit.id,
        "guest": found[1],
        "ws": f"/{organisation.id}/ws",
    }
    return page(request, "guest.html", {"boot": boot}, title=gettext("Your session"))


async def _has_used(request: web.Request, organisation: Organisation, token: str) -> bool:
    """Return whether this browser has used the link with this token, and no other link after it."""
    held = (await sessions.get(request)).get(guest_key(organisation.id))
    return isinstance(held, dict) and held.get("link") == keys.hashed(token)


def _closed(request: web.Request, organisation: Organisation) -> web.Response:
    return error_page(
        request,
        404,
        gettext("This link does not open a session"),
        gettext(
            "It works once and for a short while, or the session is over. "
            "Please ask the person who sent it to you for a new one."
        ),
        [(filled(gettext("Go to {name}"), name=organisation.name), f"/{organisation.id}")],
    )


ROUTES = (
    web.get("/{organisation}/join/{token}", join_page),
    web.post("/{organisation}/join/{token}", join),
    web.get("/{organisation}/guest", guest_page),
)
