"""Serves the preferences of a member of staff: mails, messages, language, the password, and the link for a calendar.

The page has several forms. The values are stored in the account; each person can change only their own. A new password
requires the old password; wrong guesses count like those at the sign-in. A new password ends every other sign-in.
"""

from typing import Any

import structlog
from aiohttp import web
from msgspec.structs import replace

from signalling.visit.record import STAFF_ROLES
from web.appointments import feeds
from web.audit.noting import noted
from web.channels import texts
from web.errors import BlockedError, BusyError
from web.identity.accounts import ROLES, Account
from web.identity.visitors import require, sign_in
from web.intake.phone_numbers import example, phone_number
from web.keys import ACCOUNTS, DESK, FEEDS, SETTINGS, TEXT_SERVICES, TEXTS, THROTTLE
from web.languages.i18n import N_, current, gettext, languages
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.staff import devices
from web.pages.staff.frame import staff_page
from web.pages.staff.password import problem_of
from web.pages.staff.shell import BLOCKED, whose_password
from web.requests.fields import read_form
from web.requests.security import RETRY_S, Rule, origin_of

PATH = "/{organisation}/staff/preferences"
PASSWORD = PATH + "/password"
FEED = PATH + "/feed"
TEXT = PATH + "/text"
NOT_YOURS = N_("This is not your password now. Write it once more.")
THE_SAME = N_("The new password is the one that you have. Choose another.")
BUSY = N_("The server is busy right now. Try again in a few seconds.")
TRIALS = Rule("text_trial", limit=5, window_ms=3600_000, first_delay_ms=0)
"""The number of test messages that a person may send within an hour; each message costs money."""
log = structlog.get_logger("web.preferences")


async def show(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/preferences with the page *My settings*."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id, *ROLES)
    return await _page(request, organisation, account, saved=request.query.get("saved"))


async def save(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/preferences: store the preferences. An unknown language counts as no choice."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id, *ROLES)
    posted = await read_form(request)
    if account.role not in STAFF_ROLES:
        # An auditor gets no message about a patient, so only the language of their mails can be chosen.
        posted = {"language": posted.get("language", ""), "notify": "yes" if account.notify else ""}
    offered = await _has_texts(request, organisation)
    typed = posted.get("phone", "").strip()[:40]
    number = phone_number(typed, organisation.country)
    language = posted.get("language", "")
    chosen = replace(
        account,
        mail_assigned=posted.get("mail_assigned") == "yes",
        notify=posted.get("notify") == "yes",
        language=language if language in languages() else "",
        phone=typed if number is None else number.dialled,
        # While the clinic has no service for text messages, the field is not shown, and its value is not changed,
        # except if the number is removed.
        texts="texts" in posted if offered else account.texts and bool(typed),
    )
    if number is None and (typed or chosen.texts):
        problem = gettext("Write a phone number with area code, for example %(example)s.")
        wrong = ("phone", problem % {"example": example(organisation.country)})
        return await _page(request, organisation, chosen, wrong=wrong, status=422)
    fields = ("mail_assigned", "notify", "language", "phone", "texts")
    await request.app[ACCOUNTS].prefer(
        organisation.id, account.email, **{name: getattr(chosen, name) for name in fields}
    )
    raise web.HTTPSeeOther(f"/{organisation.id}/staff/preferences?saved")


async def try_text(request: web.Request) -> web.Response:
    """Answer POST …/preferences/text: send a test message to the person's own number; the page shows the result."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    service = await request.app[TEXT_SERVICES].get(organisation.id)
    if service is None or not account.phone:
        raise web.HTTPSeeOther(f"/{organisation.id}/staff/preferences")
    try:
        async with request.app[THROTTLE].attempt(TRIALS, organisation.id, account.id):
            word = await request.app[TEXTS].try_out(organisation, service, account.phone)
    except (BlockedError, BusyError):
        return await _page(
            request, organisation, account, tried=("late", gettext(devices.ENOUGH)), status=429
        )
    return await _page(request, organisation, account, tried=(word, gettext(texts.WORDS[word])))


async def change_password(request: web.Request) -> web.Response:
    """Answer POST …/preferences/password: change the password, which requires the old password.

    All other browsers of the person are signed out.
    """
    organisation = await organisation_of(request)
    account = await require(request, organisation.id, *ROLES)
    posted = await read_form(request)
    old, wanted = posted.get("old", ""), posted.get("password", "")
    if problem := problem_of(wanted, posted.get("again", ""), organisation, account):
        return await _page(request, organisation, account, wrong=("password", problem), status=422)
    try:
        right = await whose_password(request, organisation, account.email, old) is not None
    except BlockedError as blocked:
        problem = gettext(BLOCKED).format(minutes=-(-blocked.retry_s // 60))
        return _later(
            await _page(request, organisation, account, wrong=("old", problem), status=429), blocked.retry_s
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
    """Answer POST …/preferences/feed: carry out the action in the field `do` on the person's calendar link.

    "make" makes or renews the link, "revoke" makes it invalid.
    """
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


async def _has_texts(request: web.Request, organisation: Organisation) -> bool:
    return await request.app[TEXT_SERVICES].get(organisation.id) is not None


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
    tried: tuple[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    chosen = account.language or current()
    number = phone_number(account.phone, organisation.country)
    context: dict[str, Any] = {
        "saved": saved,
        "wrong": wrong,
        "email": account.email,
        "of_staff": account.role in STAFF_ROLES,
        "two_factor": account.second_factor,
        "mail_assigned": account.mail_assigned,
        "notify": account.notify,
        "tried": tried,
        "phone": account.phone if number is None else number.shown,
        "texts": account.texts,
        "offered": await _has_texts(request, organisation),
        "feed": await _feed_url(request, organisation, account),
        **await devices.context_of(request, organisation, account),
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
    web.post(TEXT, try_text),
    *devices.ROUTES,
)
