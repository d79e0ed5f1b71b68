"""Serves the page on which staff set up their two-factor sign-in: QR code, recovery codes, new phone, turning it off.

A secret is kept encrypted in the browser's session until a code proves that the person's app has the secret. Every
change needs the password and a code (wrong codes count like wrong guesses at the sign-in), and sends a mail to the
person.
Administrators whose organisation requires two-factor sign-in can open only this page until it is on.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import structlog
from aiohttp import web

from web.audit.noting import noted
from web.errors import BlockedError, BusyError
from web.identity import sessions, totp
from web.identity.accounts import Account
from web.identity.after_sign_in import sign_in_path
from web.identity.second_factor import turn_off
from web.identity.visitors import owes_second_factor, sign_in, signed_in
from web.keys import ACCOUNTS, MAIL_QUEUE, REDIS, SECOND_FACTORS, SERVICE
from web.languages.i18n import N_, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.qr import inline
from web.pages.rendering import page
from web.pages.staff.frame import staff_page
from web.pages.staff.shell import BLOCKED, whose_password
from web.pages.staff.sign_in_code import NOT_NOW, blocked_words, right_code
from web.requests.fields import read_form
from web.requests.security import RETRY_S

PATH = "/{organisation}/staff/two-factor"
DRAFT = "second_factor"
"""The key in the session dictionary for a secret that was shown, but whose codes nobody has typed yet."""
NOT_YOURS = N_("This is not your password. Write it once more.")
NOT_SHOWN = N_("The app shows another code now. Write the newest; if it fails again, scan the QR code anew.")
BUSY = N_("The server is busy right now. Try again in a few seconds.")
log = structlog.get_logger("web.two_factor")


class Wrong(NamedTuple):
    """The reason why a request is refused: the field, a sentence, the HTTP status, and `retry_s`.

    `retry_s`: the time in s after which the person may try again, 0 for at once.
    """

    field: str
    sentence: str
    status: int = 422
    retry_s: int = 0


class At(NamedTuple):
    """A request to the page of two-factor sign-in, with the organisation and the account that belong to the request."""

    request: web.Request
    organisation: Organisation
    account: Account


Answer = web.Response | Wrong


async def show(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/two-factor with the page of the two-factor sign-in."""
    return await _page(await _at(request))


async def act(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/two-factor: carry out the action that the field `do` names, if it is possible
    now.
    """
    at = await _at(request)
    posted = await read_form(request)
    doing = DOING.get(posted.get("do", ""))
    if doing is None:
        raise web.HTTPBadRequest
    if at.account.second_factor is not doing.needs_on:
        # The action was already done, perhaps in another tab, so only the page is shown.
        return _to(at)
    try:
        answer = await doing.handler(at, posted)
    except BusyError:
        answer = Wrong("password", gettext(BUSY), 503, RETRY_S)
    return await _page(at, wrong=answer) if isinstance(answer, Wrong) else answer


async def notify(request: web.Request, organisation: Organisation, account: Account, what: str) -> None:
    """Send the account's owner a mail about a change of the two-factor sign-in, through the mail queue.

    `what`: "on", "off", or "reset" if an administrator has turned it off.
    """
    await request.app[MAIL_QUEUE].queue(
        organisation.id,
        "two_factor",
        account.email,
        account.language or organisation.languages[0],
        {"name": account.name, "what": what},
        now_ms=request.app[SERVICE].clock_ms(),
    )


async def _begin(at: At, _: Mapping[str, str]) -> Answer:
    session = await sessions.get(at.request)
    sealed = at.request.app[SECOND_FACTORS].drawn(at.organisation.id, at.account.id)
    session[DRAFT] = {"organisation": at.organisation.id, "person": at.account.id, "secret": sealed}
    return _to(at)


async def _confirm(at: At, posted: Mapping[str, str]) -> Answer:
    secret = await _draft(at)
    if secret is None:
        return _to(at)
    if wrong := await _wrong_password(at, posted):
        return wrong
    request, organisation = at.request, at.organisation
    codes = await request.app[SECOND_FACTORS].turn_on(
        organisation.id, at.account.id, secret, posted.get("code", ""), request.app[SERVICE].clock_ms()
    )
    if codes is None:
        return Wrong("code", gettext(NOT_SHOWN))
    changed = await request.app[ACCOUNTS].set_second_factor(organisation.id, at.account.email, on=True)
    (await sessions.get(request)).pop(DRAFT, None)
    await sign_in(request, organisation.id, changed)
    await noted(request, "account.second_factor_on", changed.id)
    await notify(request, organisation, changed, "on")
    log.info("account.second_factor_on", organisation=organisation.id)
    return await _page(at._replace(account=changed), codes=codes, done="on")


async def _new_codes(at: At, posted: Mapping[str, str]) -> Answer:
    if wrong := await _wrong_password(at, posted) or await _wrong_code(at, posted):
        return wrong
    codes = await at.request.app[SECOND_FACTORS].renew_codes(at.organisation.id, at.account.id)
    await noted(at.request, "account.recovery_codes", at.account.id)
    log.info("account.recovery_codes_renewed", organisation=at.organisation.id)
    return await _page(at, codes=codes, done="codes")


async def _off(at: At, posted: Mapping[str, str]) -> Answer:
    if wrong := await _wrong_password(at, posted) or await _wrong_code(at, posted):
        return wrong
    request, organisation = at.request, at.organisation
    changed = await turn_off(request.app[REDIS], request.app[ACCOUNTS], organisation.id, at.account.email)
    await sign_in(request, organisation.id, changed)
    await noted(request, "account.second_factor_off", changed.id)
    await notify(request, organisation, changed, "off")
    log.info("account.second_factor_off", organisation=organisation.id)
    return _to(at, "?off")


class Doing(NamedTuple):
    """An action of the page. `needs_on`: whether two-factor sign-in must be on (True) or off (False) for the action."""

    handler: Callable[[At, Mapping[str, str]], Awaitable[Answer]]
    needs_on: bool


DOING = {
    "begin": Doing(_begin, needs_on=False),
    "confirm": Doing(_confirm, needs_on=False),
    "codes": Doing(_new_codes, needs_on=True),
    "off": Doing(_off, needs_on=True),
}


async def _wrong_password(at: At, posted: Mapping[str, str]) -> Wrong | None:
    try:
        written = posted.get("password", "")
        found = await whose_password(at.request, at.organisation, at.account.email, written)
    except BlockedError as blocked:
        text = gettext(BLOCKED).format(minutes=-(-blocked.retry_s // 60))
        return Wrong("password", text, 429, blocked.retry_s)
    return None if found is not None else Wrong("password", gettext(NOT_YOURS))


async def _wrong_code(at: At, posted: Mapping[str, str]) -> Wrong | None:
    try:
        if await right_code(at.request, at.organisation, at.account, posted.get("code", "")):
            return None
    except BlockedError as blocked:
        return Wrong("code", blocked_words(blocked), 429, blocked.retry_s)
    return Wrong("code", gettext(NOT_NOW))


async def _at(request: web.Request) -> At:
    organisation = await organisation_of(request)
    account = await signed_in(request, organisation.id)
    if account is None:
        raise web.HTTPSeeOther(sign_in_path(organisation.id, request.method, request.path))
    return At(request, organisation, account)


async def _draft(at: At) -> bytes | None:
    """Return the secret that this browser was shown, if it was made for this person; otherwise return None."""
    kept: dict[str, str] | None = (await sessions.get(at.request)).get(DRAFT)
    if kept is None or (kept["organisation"], kept["person"]) != (at.organisation.id, at.account.id):
        return None
    factors = at.request.app[SECOND_FACTORS]
    return factors.opened(at.organisation.id, at.account.id, kept["secret"])


def _path(at: At) -> str:
    return f"/{at.organisation.id}/staff/two-factor"


def _to(at: At, query: str = "") -> web.Response:
    return web.Response(status=303, headers={"Location": _path(at) + query})


async def _page(
    at: At, *, wrong: Wrong | None = None, codes: list[str] | None = None, done: str = ""
) -> web.Response:
    request, organisation, account = at
    owes = owes_second_factor(organisation, account)
    secret = None if account.second_factor else await _draft(at)
    context: dict[str, Any] = {
        "wrong": wrong,
        "on": account.second_factor,
        "owes": owes,
        "codes": codes,
        "done": done or next((word for word in ("used", "off") if word in request.query), ""),
        "form_path": _path(at),
        "email": account.email,
    }
    if account.second_factor:
        context["left"] = await request.app[SECOND_FACTORS].codes_left(organisation.id, account.id)
    if secret is not None:
        context["secret"] = totp.spelled(secret)
        context["qr"] = inline(totp.address(secret, organisation.name, account.email))
    title = gettext("Two-factor sign-in")
    if wrong:
        title = gettext("Please check:") + " " + title
    status = wrong.status if wrong else 200
    if owes:
        home = f"/{organisation.id}/staff"
        response = page(
            request,
            "two_factor.html",
            {**context, "sign_out": f"{home}/sign-out"},
            title=title,
            status=status,
        )
    else:
        response = staff_page(
            request, organisation, account, "preferences", "two_factor.html", context, title, status
        )
    if wrong and wrong.retry_s:
        response.headers["Retry-After"] = str(wrong.retry_s)
    return response


ROUTES = (web.get(PATH, show), web.post(PATH, act))
