"""Lists the routes of the pages about booked visits, and makes the objects that a worker needs for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web

from signalling.errors import UnavailableError
from web.appointments.book import Book
from web.appointments.desk import Desk
from web.appointments.feeds import Feeds
from web.appointments.letters import NAMES, Promised, resolver
from web.appointments.links import Links
from web.keys import DESK, FEEDS, MAIL_QUEUE, ORGANISATIONS, REDIS, SEAL, SERVICE, SETTINGS, SUPERVISOR
from web.organisations.documents import Organisations
from web.organisations.settings import Organisation
from web.pages.appointments import booking, feed, staff, visit
from web.server.data_key import data_key

AGAIN_S, DAY_S = 60.0, 24 * 3600.0
log = structlog.get_logger("web.appointments")
OPENED = "/{organisation}/appointments/{token:[^/]+~[^/]+}"

ROUTES = (
    web.get("/{organisation}/appointments", booking.choose),
    web.get("/{organisation}/appointments/next", booking.next_time),
    web.post("/{organisation}/appointments/hold", booking.hold),
    web.get("/{organisation}/appointments/new", booking.new),
    web.post("/{organisation}/appointments/new", booking.book),
    web.get(OPENED, visit.show),
    web.get(OPENED + "/move", visit.choose),
    web.post(OPENED + "/move", visit.move),
    web.post(OPENED + "/cancel", visit.cancel),
    web.post(OPENED + "/check-in", visit.check_in),
    web.get(OPENED + "/visit.ics", visit.download),
    *feed.ROUTES,
    web.get("/{organisation}/staff/calendar", staff.calendar),
    web.get("/{organisation}/staff/calendar/{appointment}/move", staff.choose),
    web.post("/{organisation}/staff/calendar/{appointment}/move", staff.move),
    web.post("/{organisation}/staff/calendar/{appointment}/cancel", staff.cancel),
)


async def desk(app: web.Application) -> AsyncIterator[None]:
    """Make this worker's `Desk`, the actions on booked visits, and register its mails.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    settings = app[SETTINGS]
    key = data_key(Path(settings.data.folder))
    book, links = Book(app[REDIS], app[SEAL]), Links(key)
    app[FEEDS] = Feeds(app[REDIS], key)
    found = app[DESK] = Desk(book, links, app[SERVICE], Promised(app[MAIL_QUEUE]))

    def url(organisation: str, appointment_id: str) -> str:
        return f"{settings.origin}/{organisation}/appointments/{links.token(organisation, appointment_id)}"

    def sender(organisation: Organisation) -> str:
        return organisation.mail_sender or settings.mail.sender

    for name in NAMES:
        app[MAIL_QUEUE].resolvers[name] = resolver(name, book.get, url, sender, found.now_ms)
    app[SUPERVISOR].keep("web.appointments", partial(follow_rules, found, app[ORGANISATIONS]))
    yield
    await app[SUPERVISOR].stop("web.appointments")


async def follow_rules(found: Desk, organisations: Organisations) -> None:
    """Change the times of bookings whose time zone got new rules after the booking.

    This task does so at once and then every day, until the task is cancelled. `found`: the worker's actions on booked
    visits.
    """
    while True:
        wait_s = AGAIN_S
        with contextlib.suppress(UnavailableError):
            for organisation in await organisations.list():
                if count := await found.follow_rules(organisation):
                    log.info("appointment.zone_rules_changed", organisation=organisation, count=count)
            wait_s = DAY_S
        await asyncio.sleep(wait_s)
