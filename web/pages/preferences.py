"""What each member of staff chooses for themselves: a mail when a patient is assigned to them, and its language.

Knows one page. What is kept of it stands with the account; whoever has it changes only their own.
"""

from aiohttp import web

from web.accounts import Account
from web.i18n import current, gettext, languages
from web.organisations import Organisation
from web.pages.errors import read_form
from web.pages.public import organisation_of
from web.pages.staff_frame import staff_page
from web.people import ACCOUNTS, require

PATH = "/{organisation}/staff/preferences"


async def show(request: web.Request) -> web.Response:
    """GET /{organisation}/staff/preferences."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    return _page(request, organisation, account, saved="saved" in request.query)


async def save(request: web.Request) -> web.Response:
    """POST /{organisation}/staff/preferences: kept for the person who is signed in; a language we lack is none."""
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    posted = await read_form(request)
    language = posted.get("language", "")
    await request.app[ACCOUNTS].prefer(
        organisation.id,
        account.email,
        mail_assigned=posted.get("mail_assigned") == "yes",
        language=language if language in languages() else "",
    )
    raise web.HTTPSeeOther(f"/{organisation.id}/staff/preferences?saved")


def _page(request: web.Request, organisation: Organisation, account: Account, *, saved: bool) -> web.Response:
    chosen = account.language or current()
    context = {
        "saved": saved,
        "email": account.email,
        "mail_assigned": account.mail_assigned,
        "choices": [(code, found.name, code == chosen) for code, found in languages().items()],
    }
    title = gettext("My settings")
    return staff_page(request, organisation, account, "preferences", "preferences.html", context, title)


ROUTES = (web.get(PATH, show), web.post(PATH, save))
