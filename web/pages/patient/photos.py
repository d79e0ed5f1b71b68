"""Stores and serves the photos of a visit: the patient adds them; everyone who may see Case Information sees them.

A photo is checked, then stored, then added to the visit's record. Which commands are allowed is defined in
`signalling/visit/rules.py`, who may see Case Information in `signalling/topics/rights.py`.
"""

from http import HTTPStatus

from aiohttp import web

from signalling.service import new_id
from signalling.topics.rights import may_see
from signalling.visit import commands as c
from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Refusal
from web.audit.noting import noted
from web.emergency.opening import grants_of
from web.errors import BlockedError, BusyError, PictureError
from web.identity import sessions
from web.identity.visitors import ACTORS
from web.intake.information_form import clean
from web.keys import PICTURES, REDIS, SERVICE, THROTTLE
from web.languages.i18n import N_, gettext
from web.organisations.by_path import organisation_of
from web.requests.forms import MULTIPART, read_posted
from web.requests.pictures import MOST_BYTES
from web.requests.security import RETRY_S, Rule
from web.server.store_rewriting import erasing

MOST_TEXT = 200
FORM_BYTES = MOST_BYTES + 16 * 1024
RATE = Rule("photo", limit=30, window_ms=10 * 60_000, first_delay_ms=0)
"""The number of photos that may be sent for one visit within ten minutes. Refused and removed photos count too."""
HEADERS = {"Content-Disposition": 'inline; filename="photo.jpg"'}
TOO_LARGE = N_("The picture is larger than {most} MB. Please choose a smaller one.")
FULL = N_("No more photos can be kept in this visit. Remove one first.")
MOVED_ON = N_("This visit has moved on; that is no longer possible.")
BUSY = N_("Many photos are being sent just now. Please try again in a moment.")
MANY = N_("Many photos have been sent in this visit. Please wait {minutes} min before you send another.")
SLOW = N_(
    "The photo did not arrive in time. Please try again, with a smaller picture or a better connection."
)


def _problem(status: HTTPStatus, words: str, retry_s: int | None = None) -> web.Response:
    headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
    return web.json_response({"problem": words}, status=status, headers=headers)


def _refused(refusal: Refusal) -> web.Response:
    if refusal.code in ("not_found", "not_allowed"):
        # The answer is the same for every reason, so that a stranger learns nothing about visits.
        raise web.HTTPNotFound
    words = FULL if refusal.code == "limit_reached" else MOVED_ON
    return _problem(HTTPStatus.CONFLICT, gettext(words))


async def _actors(request: web.Request, *roles: str) -> list[Actor]:
    """Return the actors (authors of commands) that this browser has in these roles at the request's organisation.

    There may be several, because a browser can belong to a patient and to a member of staff.
    """
    organisation, session = await organisation_of(request), await sessions.get(request)
    wanted = request.match_info["visit"]
    found = [await ACTORS[role](request.app, session, organisation.id, wanted) for role in roles]
    return [actor for actor in found if actor is not None]


async def photo(request: web.Request) -> web.Response:
    """Answer GET …/photos/{photo} with the photo as a JPEG file, for people who may see Case Information."""
    actors = await _actors(request, "staff", "patient")
    service, at = request.app[SERVICE], request.match_info
    visit = await service.visit_now(at["organisation"], at["visit"]) if actors else None
    reader = None if visit is None else await _reader(request, visit, actors)
    if visit is not None and reader is None:
        reader = await _by_emergency(request, visit, actors)
    if visit is None or reader is None or at["photo"] not in {photo.id for photo in visit.photos}:
        raise web.HTTPNotFound
    data = await service.photos.get(visit.organisation, visit.id, at["photo"])
    if data is None:
        raise web.HTTPNotFound
    if reader.is_staff:
        await noted(request, "photo.read", visit.id, who=reader.id)
    return web.Response(body=data, content_type="image/jpeg", headers=HEADERS)


async def _reader(request: web.Request, visit: Visit, actors: list[Actor]) -> Actor | None:
    staff = (await request.app[SERVICE].mirrors.get(visit.organisation)).staff
    return next((actor for actor in actors if may_see("case", visit, actor, staff)), None)


async def _by_emergency(request: web.Request, visit: Visit, actors: list[Actor]) -> Actor | None:
    """Return the member of staff who has emergency access to the visit now; None if there is none."""
    grants, now_ms = grants_of(request.app), request.app[SERVICE].clock_ms()
    if not (await organisation_of(request)).emergency_min:
        return None
    for actor in actors:
        if actor.is_staff and await grants.of(visit.organisation, actor.id, visit.id, now_ms):
            return actor
    return None


async def add_photo(request: web.Request) -> web.Response:
    """Answer POST …/photos: add the photo in the form's fields `photo` and `text`.

    The answer is 204, or a sentence about the problem if the photo is refused.
    """
    actors = [a for a in await _actors(request, "patient") if a.visit == request.match_info["visit"]]
    if not actors:
        raise web.HTTPNotFound
    (actor,) = actors
    try:
        async with request.app[THROTTLE].attempt(RATE, actor.organisation, request.match_info["visit"]):
            return await _taken(request, actor)
    except BlockedError as blocked:
        words = gettext(MANY).format(minutes=-(-blocked.retry_s // 60))
        return _problem(HTTPStatus.TOO_MANY_REQUESTS, words, blocked.retry_s)
    except BusyError:
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, gettext(BUSY), RETRY_S)


async def _taken(request: web.Request, actor: Actor) -> web.Response:
    """Read, check and store the photo of a form; return the response.

    A refusal is returned, not raised: a refused photo must count as an attempt, and an error would not count.
    """
    try:
        posted = await read_posted(request, FORM_BYTES, MULTIPART)
        picture = await request.app[PICTURES].plain(posted.files.get("photo", b""))
    except web.HTTPRequestEntityTooLarge:
        return _unread(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, gettext(TOO_LARGE).format(most=MOST_BYTES >> 20))
    except web.HTTPRequestTimeout:
        return _unread(HTTPStatus.REQUEST_TIMEOUT, gettext(SLOW))
    except PictureError as error:
        return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, gettext(str(error)))
    service, visit, name = request.app[SERVICE], request.match_info["visit"], new_id("p")
    text = clean(posted.fields.get("text"), MOST_TEXT)
    # The photo is stored before the record is changed, so that the record never lists a photo that is not in the
    # store.
    await service.photos.keep(actor.organisation, visit, name, picture.data)
    outcome = await service.command(actor, visit, c.AddPhoto(name, picture.width, picture.height, text))
    if isinstance(outcome, Refusal):
        await service.photos.erase(actor.organisation, visit, name)
        return _refused(outcome)
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _unread(status: HTTPStatus, words: str) -> web.Response:
    response = _problem(status, words)
    # The TCP connection is closed, so that the server need not read the rest of the body.
    response.force_close()
    return response


async def remove_photo(request: web.Request) -> web.Response:
    """Answer POST …/photos/{photo}/remove: remove the photo.

    The answer is 204, even if the photo was removed before; or a sentence about the problem if the removal is
    refused.
    """
    outcome: object = None
    service, visit, name = (
        request.app[SERVICE],
        request.match_info["visit"],
        request.match_info["photo"],
    )
    for actor in await _actors(request, "staff", "patient"):
        outcome = await service.command(actor, visit, c.RemovePhoto(name))
        if not isinstance(outcome, Refusal):
            async with erasing(request.app[REDIS]):
                await service.photos.erase(actor.organisation, visit, name)
            return web.Response(status=HTTPStatus.NO_CONTENT)
    if not isinstance(outcome, Refusal):
        raise web.HTTPNotFound
    return _refused(outcome)


PHOTOS = "/{organisation}/visits/{visit}/photos"
ROUTES = (
    web.post(PHOTOS, add_photo),
    web.get(f"{PHOTOS}/{{photo}}", photo),
    web.post(f"{PHOTOS}/{{photo}}/remove", remove_photo),
)
