"""Asks new visitors to wait while this worker has too much work; `web/requests/admission.py` decides who waits.

A browser that shows the page tries again by itself after some seconds. The page is drawn once for all people, and
neither a session nor a visit is read for it, so that waiting people cost almost nothing.
"""

from random import random

import structlog
from aiohttp import web

from signalling.repeated import due
from web.keys import ADMISSION, HELD_BACK, SESSIONS
from web.languages.i18n import gettext
from web.metrics.counts import NEWCOMERS
from web.organisations.by_path import organisation_of
from web.pages.rendering import error_page
from web.requests import frames
from web.requests.admission import again_s
from web.requests.security import Handler

CALENDARS = frozenset({"/{organisation}", "/{organisation}/{area}"})
FORM = "/{organisation}/information"
WAITED = "waited"
"""The query parameter that a browser adds to a request when it tries again after it was asked to wait.

If a request comes from a page of this site without this parameter, the visitor counts as admitted before.
"""
log = structlog.get_logger("web.admission")


@web.middleware
async def admission(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Call the handler; if the request is of a new visitor who must wait, answer HTTP 503 with a page instead."""
    if not is_newcomer(request):
        return await handler(request)
    gate = request.app[ADMISSION]
    if not gate.admits(random()):  # noqa: S311 - this number need not be secret
        NEWCOMERS["waits"] += 1
        if count := due("admission.newcomers_wait"):
            log.warning("admission.newcomers_wait", count=count)
        return await _wait(request)
    NEWCOMERS["admitted"] += 1
    with gate.entering():
        if WAITED in request.query:
            raise web.HTTPSeeOther(request.rel_url.without_query_params(WAITED))
        return await handler(request)


def is_newcomer(request: web.Request) -> bool:
    """Return whether a request is of a new visitor: of a browser without a session, for a calendar or a form.

    A browser with a session has a visit or is signed in. A visitor who comes from another page of this site is not
    new, unless that page has asked the visitor to wait.
    """
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    if request.method not in ("GET", "HEAD") or not (path in CALENDARS or path == FORM):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if (site == "same-origin" and WAITED not in request.query) or (path == FORM and site is None):
        return False
    return not frames.cookie_of(request, request.app[SESSIONS].cookie_name)


async def _wait(request: web.Request) -> web.Response:
    await organisation_of(request)
    request[HELD_BACK] = True
    text = gettext(
        "Very many people come at this moment. Those who are in line already are served first. "
        "This page goes on by itself in a few seconds."
    )
    response = error_page(request, 503, gettext("Please wait a moment"), text, [], alike=True)
    seconds = str(again_s(random()))  # noqa: S311 - this number need not be secret
    refresh = seconds
    if "Sec-Fetch-Site" in request.headers:
        refresh += f"; url=?{request.rel_url.update_query({WAITED: '1'}).raw_query_string}"
    response.headers.update({"Retry-After": seconds, "Refresh": refresh, "Cache-Control": "no-store"})
    return response
