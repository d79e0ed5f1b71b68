"""Handles the form for the logo on the page of the public-facing calendar, and serves the logo.

`web.organisations.logos` defines which files are accepted.
"""

from aiohttp import web
from msgspec.structs import replace

from web.errors import LogoError
from web.keys import ORGANISATIONS, REDIS
from web.languages.i18n import gettext
from web.organisations.by_path import organisation_of
from web.organisations.logos import MOST_BYTES, Logos, checked
from web.organisations.settings import Organisation
from web.pages.setup.frame import admin, path_of, show
from web.pages.setup.overview import CALENDAR, calendar_context
from web.pages.static_files import KEEP_FOR_A_YEAR
from web.requests.forms import MULTIPART, read_posted

FORM_BYTES = MOST_BYTES + 64 * 1024


async def logo(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/logo/{name} with the logo.

    Browsers keep the logo for a year, because its name is a hash of its content.
    """
    organisation = await organisation_of(request)
    found = await Logos(request.app[REDIS]).get(organisation.id, request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return web.Response(body=found.data, content_type=found.kind, headers={"Cache-Control": KEEP_FOR_A_YEAR})


async def save_logo(request: web.Request) -> web.Response:
    """Answer POST …/setup/logo: store or remove the logo, as the field `do` says.

    The field `seen` has the name of the logo that the form showed, so that another person's change is not
    overwritten.
    """
    organisation, account = await admin(request)
    try:
        do, seen, data = await _posted(request)
    except web.HTTPRequestEntityTooLarge:
        return _wrong(request, organisation, gettext("The picture is larger than 256 KB."))
    logos, name = Logos(request.app[REDIS]), None
    if do == "upload":
        try:
            picture = checked(data)
        except LogoError as error:
            return _wrong(request, organisation, gettext(str(error)))
        name = await logos.keep(organisation.id, picture)
    while seen == (organisation.logo or ""):
        after = replace(organisation, logo=name)
        if await request.app[ORGANISATIONS].replace(organisation, after, account.name):
            await logos.keep_only(organisation.id, {found for found in (name, organisation.logo) if found})
            raise web.HTTPSeeOther(path_of(organisation, "calendar") + "?saved")
        organisation, _ = await admin(request)
    sentence = gettext(
        "Somebody else has changed the logo meanwhile. Look at it, and choose yours again if you wish."
    )
    return _wrong(request, organisation, sentence, 409)


async def _posted(request: web.Request) -> tuple[str, str, bytes]:
    posted = await read_posted(request, FORM_BYTES, MULTIPART)
    return posted.fields.get("do", ""), posted.fields.get("seen", ""), posted.files.get("logo", b"")


def _wrong(
    request: web.Request, organisation: Organisation, sentence: str, status: int = 422
) -> web.Response:
    context = {**calendar_context(), "logo_error": sentence, "errors": {"logo": sentence}}
    return show(request, organisation, CALENDAR, status=status, **context)
