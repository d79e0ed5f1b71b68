"""The preferences of a member of staff: mails, notifications, language, the password, and the link for a calendar.

Knows one page with three forms. The values are stored in the account; everyone changes only their own. A new password
needs the old one; wrong guesses count like those at the sign-in. Changing it ends every other sign-in.
"""

from typing import Any

import structlog
from aiohttp import web

from web.appointments import feeds
from web.audit.noting import noted
from web.errors import BlockedError, BusyError
from web.identity.accounts import Account
from web.identity.visitors import require, sign_in
from web.keys import ACCOUNTS, DESK, FEEDS, SETTINGS
from web.languages.i18n import N_, current, gettext, languages
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.staff.frame import staff_page
from web.pages.staff.password import problem_of
from web.pages.staff.shell import BLOCKED, whose_password
from web.requests.fields import read_form
from web.requests.security import RETRY_S, origin_of

PATH = "/{organisation}/staff/preferences"
PASSWORD = PATH + "/password"
FEED = PATH + "/feed"
NOT_YOURS = N_("This is not your password now. Write it once more.")
THE_SAME = N_("The new password is the one that you have. Choose another.")
BUSY = N_("The server is busy right now. Try again in a few seconds.")
log = structlog.get_logger("web.preferences")


async def show(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/preferences."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    return await _page(request, organisation, account, saved=request.query.get("saved"))


async def save(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/preferences: store the preferences; an unknown language counts as none."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    posted = await read_form(request)
    language = posted.get("language", "")
    await request.app[ACCOUNTS].prefer(
        organisation.id,
        account.email,
        mail_assigned=posted.get("mail_assigned") == "yes",
        notify=posted.get("notify") == "yes",
        language=language if language in languages() else "",
    )
    raise web.HTTPSeeOther(f"/{organisation.id}/staff/preferences?saved")


async def change_password(request: web.Request) -> web.Response:
    """Answer POST …/preferences/password: change the password, given the old one; all other browsers are signed out."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    posted = await read_form(request)
    old, wanted = posted.get("old", ""), posted.get("password", "")
    if said := problem_of(wanted, posted.get("again", ""), organisation, account):
        return await _page(request, organisation, account, wrong=("password", said), status=422)
    try:
        right = await whose_password(request, organisation, account.email, old) is not None
    except BlockedError as blocked:
        said = gettext(BLOCKED).format(minutes=-(-blocked.retry_s // 60))
        return _later(
            await _page(request, organisation, account, wrong=("old", said), status=429), blocked.retry_s
        )
    except BusyError:
        return _later(
            await _page(request, organisation, account, wrong=("old", gettext(BUSY)), status=503), RETRY_S
        )
    if not right:
        return await _page(request, organisation, account, wrong=("old", gettext(NOT_YOURS)), status=422)
    if wanted == old:
        return await _page(request, organisation, account, wrong=("password", gettext(THE_SAME)), status=422)
    changed = await request.app[ACCOUNTS].set_password(organisation.id, account.email, wanted)
    await sign_in(request, organisation.id, changed)
    log.info("account.password_changed", organisation=organisation.id)
    return web.Response(
        status=303, headers={"Location": f"/{organisation.id}/staff/preferences?saved=password"}
    )


async def change_feed(request: web.Request) -> web.Response:
    """Answer POST …/preferences/feed: make, renew or revoke one's link to booked visits (`do`: "make", "revoke")."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    found, do = request.app[FEEDS], (await read_form(request)).get("do", "")
    if do == "make":
        await found.make(organisation.id, account.id, request.app[DESK].now_ms())
        await noted(request, "feed.made", account.id)
    elif do != "revoke":
        raise web.HTTPBadRequest
    elif await found.revoke(organisation.id, account.id):
        await noted(request, "feed.revoked", account.id)
    raise web.HTTPSeeOther(f"/{organisation.id}/staff/preferences?saved")


async def _feed_url(request: web.Request, organisation: Organisation, account: Account) -> str | None:
    found = await request.app[FEEDS].of(organisation.id, account.id)
    if found is None:
        return None
    token = request.app[FEEDS].token(organisation.id, found)
    origin = origin_of(request, request.app[SETTINGS].server.public_url.rstrip("/"))
    return origin + feeds.PATH.format(organisation=organisation.id, token=token)


def _later(response: web.Response, retry_s: int) -> web.Response:
    response.headers["Retry-After"] = str(retry_s)
    return response


async def _page(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    *,
    saved: str | None = None,
    wrong: tuple[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    chosen = account.language or current()
    context: dict[str, Any] = {
        "saved": saved,
        "wrong": wrong,
        "email": account.email,
        "two_factor": account.second_factor,
        "mail_assigned": account.mail_assigned,
        "notify": account.notify,
        "feed": await _feed_url(request, organisation, account),
        "choices": [(code, found.name, code == chosen) for code, found in languages().items()],
    }
    title = gettext("Please check: my settings") if wrong else gettext("My settings")
    template = "preferences.html"
    return staff_page(request, organisation, account, "preferences", template, context, title, status)


ROUTES = (
    web.get(PATH, show),
    web.post(PATH, save),
    web.post(PASSWORD, change_password),
    web.post(FEED, change_feed),
)
