"""The patient's choice how to be told of their turn while no page of theirs is open."""

from aiohttp import web

from signalling.visit.commands import AgreeToContact
from signalling.visit.relations import Refusal
from web.identity import sessions
from web.identity.visitors import ACTORS
from web.keys import SERVICE
from web.organisations.by_path import organisation_of
from web.requests.fields import read_form


async def agree(request: web.Request) -> web.Response:
    """POST …/visits/{visit}/contact with `text`: 204. Raises HTTP 404 if it is no open visit of this browser."""
    organisation, wanted = await organisation_of(request), request.match_info["visit"]
    actor = await ACTORS["patient"](request.app, await sessions.get(request), organisation.id, wanted)
    if actor is None or actor.visit != wanted:
        raise web.HTTPNotFound
    posted = await read_form(request)
    channels = ("text",) if posted.get("text") == "yes" else ()
    done = await request.app[SERVICE].command(actor, wanted, AgreeToContact(channels))
    if isinstance(done, Refusal):
        raise web.HTTPNotFound
    return web.Response(status=204)
