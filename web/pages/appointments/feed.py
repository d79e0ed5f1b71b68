"""Serves a provider's booked visits as a calendar (iCalendar) at a secret link, for the provider's own calendar
program.

The provider makes the link in *My settings*. Calendar programs read the calendar again and again. So the answer is 304
if nothing has changed (RFC 9110 §13), and the number of requests by one link is limited. No entry has a patient's full
name.
"""

import hashlib
from datetime import UTC, datetime

from aiohttp import ETag, web

from signalling.visit.record import STAFF_ROLES
from web.appointments import ics
from web.appointments.appointment import Appointment
from web.appointments.feeds import PATH, Feed
from web.appointments.slots import HOUR_MS, local
from web.errors import BlockedError
from web.identity.accounts import Account
from web.identity.throttle import TokenKind, guess
from web.intake.information_form import initials
from web.keys import ACCOUNTS, DESK, FEEDS, SETTINGS, THROTTLE
from web.languages.i18n import filled, gettext, languages, using
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.requests.security import Rule, origin_of

READS = Rule("feed", 60, HOUR_MS, first_delay_ms=0)
"""How often calendar programs may read the feed of one provider within an hour."""


async def visits(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/feed/{token}/visits.ics with the booked visits of the link's owner."""
    organisation = await organisation_of(request)
    feed, account = await _opened(request, organisation)
    desk = request.app[DESK]
    body = _calendar(request, organisation, account, await desk.of_provider(organisation.id, account.id))
    etag = hashlib.sha256(body).hexdigest()[:32]
    changed_ms = await request.app[FEEDS].shown(organisation.id, feed, etag, desk.now_ms())
    changed = datetime.fromtimestamp(changed_ms // 1000, UTC)
    response = web.Response(status=304) if _is_known(request, etag, changed) else web.Response(body=body)
    if response.status == 200:
        response.content_type, response.charset = "text/calendar", "utf-8"
    response.etag, response.last_modified = etag, changed
    response.headers["Cache-Control"] = "private, no-cache"
    return response


async def _opened(request: web.Request, organisation: Organisation) -> tuple[Feed, Account]:
    """Return the link and its owner.

    Raises HTTP 404 if the token is not valid, or if the owner's account is disabled or no longer has a role of staff;
    and HTTP 429 after too many requests.
    """
    feeds, token = request.app[FEEDS], request.match_info["token"]
    feed = await feeds.named(organisation.id, token)
    async with guess(request, organisation.id, TokenKind.FEED, feed.person if feed else "") as attempt:
        found = feed if feed is not None and feeds.opens(feed, token) else None
        if found is not None:
            attempt.succeeded()
    account = None if found is None else await request.app[ACCOUNTS].get(organisation.id, found.person)
    if found is None or account is None or account.disabled or account.role not in STAFF_ROLES:
        raise web.HTTPNotFound
    try:
        async with request.app[THROTTLE].attempt(READS, organisation.id, found.person):
            # `succeeded` is not called, so that each request counts towards the limit of reads (READS).
            return found, account
    except BlockedError as blocked:
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(blocked.retry_s)}) from None


def _calendar(
    request: web.Request, organisation: Organisation, account: Account, booked: list[Appointment]
) -> bytes:
    offered = [code for code in (account.language, *organisation.languages) if code in languages()]
    origin = origin_of(request, request.app[SETTINGS].server.public_url.rstrip("/"))
    home = f"{origin}/{organisation.id}/staff/calendar"
    with using(offered[0] if offered else "en"):
        words = ics.Words(gettext("Video visit"), gettext("Open the calendar:"), organisation.name)
        name = filled(gettext("Video visits, {clinic}"), clinic=organisation.name)

    def entry(one: Appointment) -> ics.Entry:
        known = f" ({initials(one.patient.name)})" if organisation.booking.feed_initials else ""
        day = local(organisation, one.starts_ms).date().isoformat()
        return ics.Entry(one, words._replace(summary=words.summary + known), f"{home}?day={day}")

    return ics.feed(map(entry, booked), name)


def _is_known(request: web.Request, etag: str, changed: datetime) -> bool:
    """Return whether the calendar program already has this answer, so that 304 is enough.

    `etag` and `changed`: the hash and the time of the content. The time is compared only if the program sends
    no ETag (RFC 9110 §13.2.2).
    """
    tags = request.if_none_match
    if tags is not None:
        return ETag(value="*") in tags or etag in {tag.value for tag in tags}
    since = request.if_modified_since
    return since is not None and changed <= since


ROUTES = (web.get(PATH, visits),)
