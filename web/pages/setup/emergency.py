"""Serves the set-up's page of emergency access, which lists who has opened which visit, why and until when.

An administrator can end an access on this page.
"""

from typing import Any

from aiohttp import web

from web.audit.noting import noted
from web.emergency.grants import Grant
from web.emergency.opening import end_access, end_all, grants_of
from web.identity.accounts import Account
from web.keys import ORGANISATIONS, SERVICE
from web.organisations.settings import Organisation
from web.pages.list_parts import part_of
from web.pages.setup.frame import admin, draw, path_of, posted_to, when

NAME = "emergency"
ROWS = 200
"""The greatest number of accesses on one page."""


async def page(request: web.Request) -> web.Response:
    """Answer GET …/setup/emergency with a list of the emergency accesses, the newest first."""
    organisation, _ = await admin(request)
    now_ms, grants = request.app[SERVICE].clock_ms(), grants_of(request.app)
    path = path_of(organisation, NAME)
    part = part_of(request, path, await grants.count(organisation.id), ROWS)
    found = await grants.newest(organisation.id, ROWS, part.skipped)
    context = {
        "rows": [_row(one, organisation, now_ms) for one in found],
        "minutes": organisation.emergency_min,
        "policy": path_of(organisation, "policy"),
        "part": part,
    }
    return draw(request, organisation, NAME, "setup/emergency.html", context)


async def act(request: web.Request) -> web.Response:
    """Answer POST …/setup/emergency: end the access whose id is in the field `end`."""
    organisation, account = await admin(request)
    wanted = (await posted_to(request)).get("end", "")
    ended = await end_access(request.app, organisation, account, wanted)
    if ended is not None:
        await noted(request, "visit.emergency_ended", ended.visit)
    raise web.HTTPSeeOther(path_of(organisation, NAME))


async def end_if_turned_off(request: web.Request, account: Account) -> None:
    """End every emergency access if the new rules have turned emergency access off.

    `account`: the administrator who has changed the rules. The account is not checked again, because the new rules may
    demand a second factor that it has not set up yet.
    """
    organisation = await request.app[ORGANISATIONS].read(request.match_info["organisation"])
    if organisation is not None and not organisation.emergency_min:
        await end_all(request.app, organisation, account)


def _row(grant: Grant, organisation: Organisation, now_ms: int) -> dict[str, Any]:
    return {
        "id": grant.id,
        "holds": grant.holds(now_ms),
        "name": grant.name,
        "reason": grant.reason,
        "since": when(grant.since_ms, organisation),
        "until": when(grant.ended_ms or grant.until_ms, organisation),
        "ended_by": grant.ended_by,
        "href": f"/{organisation.id}/staff/visits/{grant.visit}",
        "visit": grant.visit,
    }
