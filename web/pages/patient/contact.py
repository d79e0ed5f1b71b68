"""Stores the patient's choice to get a message when it is their turn and no page of theirs is open."""

from aiohttp import web

from signalling.visit.commands import AgreeToContact
from signalling.visit.relations import Refusal
from web.channels import push
from web.channels.messages import KINDS
from web.identity import sessions
from web.identity.visitors import ACTORS
from web.keys import PUSH, SERVICE
from web.organisations.by_path import organisation_of
from web.requests.fields import read_form


async def agree(request: web.Request) -> web.Response:
    """Answer POST …/visits/{visit}/contact: store the choice; the answer is 204.

    The form has `text` or `push`, each with "yes" or "no"; with `push` it contains the browser's subscription, too.
    Raises HTTP 404 if this browser has no open visit with this id, and HTTP 422 if the browser cannot be notified.
    """
    organisation, wanted = await organisation_of(request), request.match_info["visit"]
    actor = await ACTORS["patient"](request.app, await sessions.get(request), organisation.id, wanted)
    if actor is None or actor.visit != wanted:
        raise web.HTTPNotFound
    posted = await read_form(request)
    channel = next((kind for kind in KINDS if kind in posted), None)
    if channel is None:
        raise web.HTTPBadRequest
    agrees = posted[channel] == "yes"
    if channel == push.KIND:
        agrees = await _has_devices(request, organisation.id, wanted, posted, adds=agrees)
    done = await request.app[SERVICE].command(actor, wanted, AgreeToContact(channel, agrees))
    if isinstance(done, Refusal):
        raise web.HTTPNotFound
    return web.Response(status=204)


async def _has_devices(
    request: web.Request, organisation: str, visit: str, posted: dict[str, str], *, adds: bool
) -> bool:
    """Add this browser to the visit's devices for notifications if `adds` is true, otherwise remove it.

    `posted`: the fields of the form. Returns whether the visit has a device afterwards.
    """
    service, devices = request.app[PUSH], request.app[PUSH].visits
    device = service.device(posted, "", request.app[SERVICE].clock_ms())
    if device is None:
        raise web.HTTPUnprocessableEntity
    if adds:
        if not await devices.add(organisation, visit, device):
            raise web.HTTPUnprocessableEntity
        return True
    await devices.drop(organisation, visit, device.id)
    return bool(await devices.of(organisation, visit))
