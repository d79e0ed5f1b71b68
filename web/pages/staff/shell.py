"""Serves sign-in, sign-out, and the shell: the one page for Sessions List and video session, drawn by scripts.

`GET …/staff/session` returns the time after which the sign-in ends; `POST` also extends that time.
"""

import contextlib

from aiohttp import web

from signalling.errors import UnavailableError
from web.errors import BlockedError, BusyError
from web.identity import sessions
from web.identity.accounts import Account, pseudonym
from web.identity.after_sign_in import QUERY, sign_in_path
from web.identity.visitors import account_of, enrol, home_of, let_in, off_call, require, sign_out
from web.keys import ACCOUNTS, ORGANISATION, SERVICE, SESSIONS, SETTINGS, THROTTLE
from web.languages.i18n import N_, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.errors import not_found
from web.pages.rendering import page
from web.pages.staff.frame import boot_of
from web.requests.fields import read_form
from web.requests.security import ACCOUNT, RETRY_S, SIGN_IN, neighbourhood, remote_of

WRONG = N_("This email and password do not belong together. Check both and try again.")
BLOCKED = N_(
    "There were too many wrong passwords from here. Try again in {minutes} min, or ask an administrator."
)
BUSY = N_("Many people are signing in right now. Try again in a few seconds.")


async def sign_in_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/sign-in with the form; redirect a person who is already signed in."""
    organisation = await organisation_of(request)
    account = await _account(request, organisation)
    if account is not None:
        raise web.HTTPSeeOther(home_of(organisation.id, account, request.query.get(QUERY)))
    return sign_in_again(request, "", None)


async def sign_in_form(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/sign-in: sign the person in.

    An unknown email gets the same answer as a wrong password, after the same delay.
    """
    organisation = await organisation_of(request)
    posted = await read_form(request)
    email, password = posted.get("email", "").strip()[:255], posted.get("password", "")
    try:
        account = await whose_password(request, organisation, email, password)
    except BlockedError as blocked:
        sentence = gettext(BLOCKED).format(minutes=-(-blocked.retry_s // 60))
        return sign_in_again(request, email, sentence, status=429, retry_s=blocked.retry_s)
    except BusyError:
        return sign_in_again(request, email, gettext(BUSY), status=503, retry_s=RETRY_S)
    if account is None:
        return sign_in_again(request, email, gettext(WRONG), status=422)
    service = request.app[SERVICE]
    await enrol(service, organisation.id, account)
    wanted = request.query.get(QUERY, "")
    where = await let_in(request, organisation.id, account, service.clock_ms(), wanted)
    return web.Response(status=303, headers={"Location": where})


async def whose_password(
    request: web.Request, organisation: Organisation, email: str, password: str
) -> Account | None:
    """Return the account with this email and password; None if there is none, which counts as a wrong guess.

    Raises BlockedError after too many wrong guesses, and BusyError if too many guesses are being checked now.
    """
    throttle, accounts = request.app[THROTTLE], request.app[ACCOUNTS]
    address = neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))
    who = pseudonym(email)
    async with (
        throttle.attempt(SIGN_IN, organisation.id, address) as from_here,
        throttle.attempt(ACCOUNT, organisation.id, who) as at_account,
    ):
        account = await accounts.check(organisation.id, email, password)
        if account is not None:
            from_here.succeeded()
            at_account.succeeded()
        return account


async def sign_out_form(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/sign-out: turn On-Call off, sign out, and clear the browser's storage."""
    organisation = await organisation_of(request)
    account = await _account(request, organisation)
    await sign_out(request)
    if account is not None:
        # An error of the store is ignored, because the person must be signed out in any case.
        with contextlib.suppress(UnavailableError):
            await off_call(request.app[SERVICE], organisation.id, account)
    headers = {"Location": f"/{organisation.id}/staff/sign-in", "Clear-Site-Data": '"storage"'}
    return web.Response(status=303, headers=headers)


async def shell(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff and …/staff/visits/{visit} with the shell, one page for both addresses.

    A script of the shell draws the content that belongs to the address.
    """
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    visit_id = request.match_info.get("visit")
    if visit_id is not None and await request.app[SERVICE].visit(organisation.id, visit_id) is None:
        links = [(gettext("Sessions List"), f"/{organisation.id}/staff")]
        return not_found(
            request,
            gettext("There is no such session"),
            gettext("It may have been erased, or the link is cut off."),
            links,
        )
    known = (await request.app[SERVICE].mirrors.get(organisation.id)).staff.get(account.id)
    boot = {
        **boot_of(request, organisation, account, "sessions"),
        "on_call": known is not None and known.on_call,
        "guests": True,
        "emergency": organisation.emergency_min > 0,
        "answers": organisation.policy.answers_waiting,
        "tags": organisation.policy.tags,
        "reopen_ms": organisation.policy.reopen_ms,
        "regions": organisation.regions,
        "areas": organisation.area_names,
    }
    return page(request, "staff.html", {"boot": boot}, title=gettext("Sessions List"))


async def session_left(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/session with `{"ends_in_ms": …}`, the ms until the sign-in ends.

    The number is 0 if nobody is signed in. The request does not count as activity of the person.
    """
    organisation = await organisation_of(request)
    return await _left(request, organisation, await request.app[SESSIONS].look(request))


async def session_prolonged(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/session: extend the sign-in of an active person; answer like `session_left`."""
    return await _left(request, await organisation_of(request), await sessions.get(request))


async def _left(request: web.Request, organisation: Organisation, session: sessions.Session) -> web.Response:
    account = await account_of(session, organisation.id, request.app[ACCOUNTS])
    return web.json_response({"ends_in_ms": session.ends_in_ms if account is not None else 0})


async def _account(request: web.Request, organisation: Organisation) -> Account | None:
    return await account_of(await sessions.get(request), organisation.id, request.app[ACCOUNTS])


def sign_in_again(
    request: web.Request, email: str, error: str | None, *, status: int = 200, retry_s: int = 0
) -> web.Response:
    """Return the page that asks for email and password, with an error sentence if there is one.

    `error`: the sentence, or None; `status`: the HTTP status; `retry_s`: the time in s after which the person may try
    again, 0 for at once.
    """
    title = gettext("Please check: sign in") if error else gettext("Sign in")
    form_path = sign_in_path(request[ORGANISATION].id, "GET", request.query.get(QUERY, ""))
    context = {"form": {"email": email}, "form_path": form_path, "error": error}
    response = page(request, "sign_in.html", context, title=title, status=status)
    if retry_s:
        response.headers["Retry-After"] = str(retry_s)
    return response
