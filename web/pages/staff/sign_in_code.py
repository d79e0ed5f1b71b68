"""Serves the second page of the sign-in, which asks for a code from the person's phone, or a recovery code.

The page appears after the right password. Guesses at codes are delayed and stopped, and many wrong codes block the
account for a time. A stranger cannot block an account in this way, because a guess is possible only after the right
password.
"""

from typing import Any

import structlog
from aiohttp import web

from web.errors import BlockedError, BusyError
from web.identity import sessions
from web.identity.accounts import Account
from web.identity.visitors import HALF, half_in, home_of, sign_in
from web.keys import ACCOUNTS, SECOND_FACTORS, SERVICE, SETTINGS, THROTTLE
from web.languages.i18n import N_, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.rendering import page
from web.pages.staff.shell import BUSY, sign_in_again
from web.requests.fields import read_form
from web.requests.security import RETRY_S, SIGN_IN, Rule, neighbourhood, remote_of

PATH = "/{organisation}/staff/sign-in/code"
CODE = Rule("code")
"""Limits the guesses at one account's codes, from all addresses together."""
NOT_NOW = N_(
    "This code is not right, or was used already. Wait until the app shows the next one, and try that."
)
WRONG = {
    "code": NOT_NOW,
    "recovery": N_("This is none of your recovery codes, or it was used already. Check it, or try another."),
}
BLOCKED = N_("There were too many wrong codes. Try again in {minutes} min, or ask an administrator.")
LATE = N_("This took too long, or your account was changed meanwhile. Sign in once more.")
log = structlog.get_logger("web.sign_in_code")


async def code_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/sign-in/code with the form.

    If the person did not type the right password within the last five minutes, redirect to the sign-in.
    """
    organisation = await organisation_of(request)
    if await _half_in(request, organisation) is None:
        raise web.HTTPSeeOther(f"/{organisation.id}/staff/sign-in")
    return _page(request)


async def code_form(request: web.Request) -> web.Response:
    """Answer POST …/sign-in/code: sign in with the field `code` or `recovery`, under a new session id."""
    organisation = await organisation_of(request)
    posted = await read_form(request)
    account = await _half_in(request, organisation)
    if account is None:
        return sign_in_again(request, "", gettext(LATE), status=401)
    field = "recovery" if posted.get("recovery") else "code"
    try:
        right = await right_code(request, organisation, account, posted.get(field, ""))
    except BlockedError as blocked:
        return _page(request, (field, blocked_words(blocked)), status=429, retry_s=blocked.retry_s)
    except BusyError:
        return _page(request, (field, gettext(BUSY)), status=503, retry_s=RETRY_S)
    if not right:
        return _page(request, (field, gettext(WRONG[field])), status=422)
    wanted = (await sessions.get(request))[HALF].get("to")
    await sign_in(request, organisation.id, account)
    where = home_of(organisation.id, account, wanted)
    if field == "recovery":
        log.info("account.recovery_code_used", organisation=organisation.id)
        where = f"/{organisation.id}/staff/two-factor?used"
    return web.Response(status=303, headers={"Location": where})


async def right_code(
    request: web.Request, organisation: Organisation, account: Account, written: str
) -> bool:
    """Return whether `written`, the code as typed, is a valid code or recovery code of the account.

    A right code cannot be used again; a wrong code counts as a guess. Raises BlockedError after too many wrong codes,
    and BusyError if too many guesses are being checked now.
    """
    throttle = request.app[THROTTLE]
    now_ms = request.app[SERVICE].store.clock_ms
    address = neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))
    async with (
        throttle.attempt(SIGN_IN, organisation.id, address) as from_here,
        throttle.attempt(CODE, organisation.id, account.id) as at_account,
    ):
        right = await request.app[SECOND_FACTORS].passes(organisation.id, account.id, written, now_ms())
        if right:
            from_here.succeeded()
            at_account.succeeded()
        return right


def blocked_words(blocked: BlockedError) -> str:
    """Return the sentence for a person who has typed too many wrong codes, which says how long to wait."""
    return gettext(BLOCKED).format(minutes=-(-blocked.retry_s // 60))


async def _half_in(request: web.Request, organisation: Organisation) -> Account | None:
    now_ms = request.app[SERVICE].clock_ms()
    return await half_in(await sessions.get(request), organisation.id, request.app[ACCOUNTS], now_ms)


def _page(
    request: web.Request, wrong: tuple[str, str] | None = None, *, status: int = 200, retry_s: int = 0
) -> web.Response:
    context: dict[str, Any] = {"wrong": wrong}
    title = gettext("Please check: code") if wrong else gettext("Code")
    response = page(request, "sign_in_code.html", context, title=title, status=status)
    if retry_s:
        response.headers["Retry-After"] = str(retry_s)
    return response


ROUTES = (web.get(PATH, code_page), web.post(PATH, code_form))
