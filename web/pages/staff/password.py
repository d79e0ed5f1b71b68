"""Serves the page on which a member of staff sets a password, opened by a one-time link.

The token disappears from the address bar at once: the session keeps a hash of the token, and the browser is redirected
to an address without it. Opening the link does not use it up, because mail programs open links too. Setting the
password uses it up.
"""

from aiohttp import web

from web.audit.noting import noted
from web.errors import AccountError
from web.identity import sessions
from web.identity.accounts import Account, check_password
from web.identity.invitations import Invitations, name_of
from web.identity.throttle import TokenKind, opened
from web.identity.visitors import enrol, let_in
from web.keys import ACCOUNTS, REDIS, SERVICE
from web.languages.i18n import gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.errors import not_found
from web.pages.rendering import page
from web.requests.fields import read_form

INVITATION = "invitation"


async def open_link(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/invitation/{token}: redirect to the page on which a password is set.

    All invalid links get the same answer.
    """
    organisation = await organisation_of(request)
    name = name_of(request.match_info["token"])
    links = _invitations(request)
    if not await opened(request, organisation.id, TokenKind.INVITATION, name, links.look, links.was_used):
        return _no_link(request, organisation)
    session = await sessions.renew(request)
    session[INVITATION] = {"organisation": organisation.id, "name": name}
    raise web.HTTPSeeOther(f"/{organisation.id}/staff/password")


async def password_page(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/staff/password with the form, if this browser has opened a link that is valid."""
    organisation = await organisation_of(request)
    name = await _name(request, organisation)
    account = await _invitations(request).look(organisation.id, name)
    if account is None:
        return _no_link(request, organisation)
    return _form(request, account, "")


async def set_password(request: web.Request) -> web.Response:
    """Answer POST /{organisation}/staff/password: set the password, use the link up, and sign the person in.

    If the account has a second factor, the answer asks for a code.
    """
    organisation = await organisation_of(request)
    posted = await read_form(request)
    name, invitations = await _name(request, organisation), _invitations(request)
    account = await invitations.look(organisation.id, name)
    if account is None:
        return _no_link(request, organisation)
    wanted = posted.get("password", "")
    if problem := problem_of(wanted, posted.get("again", ""), organisation, account):
        return _form(request, account, problem)
    try:
        # One change sets the password and makes the link invalid, so that an error leaves both as they are.
        account = await request.app[ACCOUNTS].set_password(
            organisation.id, account.email, wanted, account.generation
        )
    except AccountError:
        # The link was used in another window a moment ago, so it is not valid now.
        return _no_link(request, organisation)
    await noted(request, "account.password_set", who=account.id)
    await invitations.use(organisation.id, name)
    (await sessions.get(request)).pop(INVITATION, None)
    service = request.app[SERVICE]
    await enrol(service, organisation.id, account)
    where = await let_in(request, organisation.id, account, service.clock_ms())
    return web.Response(status=303, headers={"Location": where})


def problem_of(wanted: str, again: str, organisation: Organisation, account: Account) -> str:
    """Return a sentence about what is wrong with a new password; "" if nothing is wrong.

    `wanted` and `again`: the password as it was typed twice.
    """
    if again != wanted:
        return gettext("The two passwords are not the same. Write both once more.")
    try:
        check_password(wanted, account.email, account.name, organisation.id, organisation.name)
    except AccountError as error:
        return gettext(str(error))
    return ""


def _invitations(request: web.Request) -> Invitations:
    return Invitations(request.app[REDIS], request.app[ACCOUNTS])


async def _name(request: web.Request, organisation: Organisation) -> str:
    kept = (await sessions.get(request)).get(INVITATION)
    if kept is None or kept["organisation"] != organisation.id:
        return ""
    # An older version of the server stored the link's token in the session, not the token's hash. A session of that
    # version may still be open, and its token is valid as long as the link.
    return str(kept["name"]) if "name" in kept else name_of(kept["token"])


def _form(request: web.Request, account: Account, error: str) -> web.Response:
    title = gettext("Choose a password")
    context = {"account": account, "error": error}
    return page(request, "password.html", context, title=title, status=422 if error else 200)


def _no_link(request: web.Request, organisation: Organisation) -> web.Response:
    return not_found(
        request,
        gettext("This link does not open anything any more"),
        gettext(
            "It works once, and for a limited time. Ask an administrator of your clinic for a new one, or sign in if "
            "you have a password already."
        ),
        [(gettext("Staff: sign in"), f"/{organisation.id}/staff/sign-in")],
    )
