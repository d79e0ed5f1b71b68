"""Finds the organisation that a request's path names, and keeps it in the request for later handlers."""

from aiohttp import web

from web.keys import ORGANISATION, ORGANISATIONS
from web.languages.i18n import organisation_language
from web.organisations.settings import Organisation


class UnknownOrganisation(web.HTTPNotFound):
    """The path names an organisation that does not exist (HTTP 404)."""


async def organisation_of(request: web.Request) -> Organisation:
    """Return the organisation that the path names. Raises UnknownOrganisation (HTTP 404) if there is none."""
    found = await request.app[ORGANISATIONS].get(request.match_info["organisation"])
    if found is None:
        raise UnknownOrganisation
    request[ORGANISATION] = found
    organisation_language(request, found.languages)
    return found
