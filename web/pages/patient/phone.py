"""Makes a one-time link by which a patient continues their visit on another device, as a QR code or by mail.

`entry_links.py` redeems the link. Links are stored as hashes (`web/intake/patient_links.py`), work once, and expire
after a quarter of an hour.
"""

from contextlib import AsyncExitStack
from http import HTTPStatus

from aiohttp import web

from web.audit.noting import noted
from web.errors import BlockedError, BusyError
from web.identity import sessions
from web.identity.accounts import pseudonym
from web.identity.visitors import visits_of
from web.intake.patient_links import SHORT_MS
from web.keys import MAIL_QUEUE, PATIENT_LINKS, SERVICE, SETTINGS, THROTTLE
from web.languages.i18n import N_, gettext
from web.mail.visits import language_of
from web.organisations.by_path import organisation_of
from web.pages import qr
from web.requests.fields import read_form
from web.requests.security import RETRY_S, Rule, origin_of

RATE = Rule("phone", limit=6, window_ms=10 * 60_000, first_delay_ms=0)
"""The number of links that may be made for one visit within ten minutes."""
MAILS = Rule("phone_mail", limit=12, window_ms=3600_000, first_delay_ms=0)
"""The number of links that may be mailed to one address within an hour; it may be a stranger's, in many visits."""
MANY = N_("Many links have been made for this visit. Please wait {minutes} min.")
OVER = N_("This visit is over.")
NO_MAIL = N_("No email can be sent from here. Please use the QR code.")
BUSY = N_("Many people ask for this just now. Please try again in a moment.")


async def make_link(request: web.Request) -> web.Response:
    """Answer POST …/phone: make a new link.

    With `how=mail`, send the link by mail and answer 204. Otherwise answer JSON with the QR code of the link.
    """
    organisation = await organisation_of(request)
    visit_id, session = request.match_info["visit"], await sessions.get(request)
    settings = request.app[SETTINGS]
    held = visit_id in visits_of(session, organisation.id)
    visit = await request.app[SERVICE].visit(organisation.id, visit_id) if held else None
    if visit is None:
        raise web.HTTPNotFound
    mailed = (await read_form(request)).get("how") == "mail"
    if not visit.is_open:
        return _problem(HTTPStatus.CONFLICT, gettext(OVER))
    if mailed and not settings.mails:
        return _problem(HTTPStatus.CONFLICT, gettext(NO_MAIL))
    limits = [(RATE, visit_id), (MAILS, pseudonym(visit.patient.email))][: 1 + mailed]
    try:
        async with AsyncExitStack() as stack:
            for rule, who in limits:
                await stack.enter_async_context(request.app[THROTTLE].attempt(rule, organisation.id, who))
            made = await request.app[PATIENT_LINKS].issue(organisation.id, visit_id, SHORT_MS)
    except BlockedError as blocked:
        words = gettext(MANY).format(minutes=-(-blocked.retry_s // 60))
        return _problem(HTTPStatus.TOO_MANY_REQUESTS, words, blocked.retry_s)
    except BusyError:
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, gettext(BUSY), RETRY_S)
    await noted(request, "visit.linked", visit_id, who=f"patient:{visit_id}")
    # The Host header may be of the sender's choice, and the address may be a stranger's, so a mail does not contain it.
    origin = settings.origin if mailed else origin_of(request, settings.server.public_url.rstrip("/"))
    url = f"{origin}/{organisation.id}/enter/{made.token}"
    minutes = made.for_ms // 60_000
    if not mailed:
        return web.json_response({"svg": qr.inline(url), "minutes": minutes})
    await request.app[MAIL_QUEUE].queue(
        organisation.id,
        "phone",
        visit.patient.email,
        language_of(visit, organisation),
        {"url": url, "minutes": minutes},
        now_ms=request.app[SERVICE].clock_ms(),
    )
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _problem(status: HTTPStatus, words: str, retry_s: int | None = None) -> web.Response:
    headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
    return web.json_response({"problem": words}, status=status, headers=headers)


ROUTES = (web.post("/{organisation}/visits/{visit}/phone", make_link),)
