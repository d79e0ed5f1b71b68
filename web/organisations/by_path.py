"""The organisation that a request's path names: finds it, and keeps it in the request for those who come after."""

from aiohttp import web

from web.keys import ORGANISATION, ORGANISATIONS
from web.languages.i18n import organisation_language
from web.organisations.documents import Organisation


class UnknownOrganisation(web.HTTPNotFound):
    """The path names an organisation that is not here."""


async def organisation_of(request: web.Request) -> Organisation:
    """The organisation that the path names. Raises HTTP 404, as a page that helps."""
    found = await request.app[ORGANISATIONS].get(request.match_info["organisation"])
    if found is None:
        raise UnknownOrganisation
    request[ORGANISATION] = found
    organisation_language(request, found.languages)
    return found
