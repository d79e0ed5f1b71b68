"""Decides who may open a WebSocket, in which role, and when the server closes it.

It checks Origin, cookies and sign-ins; signalling handles the messages. It opens signalling and the relay of this
worker, and drains them when the server stops. `Watch` closes the sockets of sign-ins that have ended, even if the
message about the end was lost.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

from media import Relay, RelaySettings
from signalling import counts
from signalling.errors import TooManyGuessesError, UnavailableError
from signalling.repeated import due
from signalling.sockets.handshake import serve
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out
from signalling.visit.record import STAFF_ROLES, Actor
from signalling.worker import Limits, Worker
from web.audit.seen_entries import SeenEntriesFile
from web.config import Settings, first_line
from web.errors import BusyError
from web.identity.accounts import Changed
from web.identity.throttle import TokenKind, guess
from web.identity.visitors import (
    ACTORS,
    StaffActor,
    off_call,
    owes_second_factor,
)
from web.keys import (
    ACCOUNTS,
    AUDIT_LOG,
    DRAINING,
    INVITES,
    LIVENESS,
    ORGANISATIONS,
    REDIS,
    RELAY,
    SEAL,
    SERVICE,
    SESSIONS,
    SETTINGS,
    SIGNALLING,
    SUPERVISOR,
    TRACER,
    WORKER,
)
from web.organisations.by_path import organisation_of
from web.requests.security import Handler, is_own_origin, neighbourhood, remote_of
from web.server.data_key import data_key
from web.server.media_relay import Relay as MediaPort
from web.server.media_relay import Turn
from web.server.public_address import PublicAddress
from web.server.socket_shares import NONE, Balance

SIGNED_OUT = 4201
WATCH_S = 5.0
AT_ONCE = 100  # the greatest number of sign-ins that are checked with one request to the store
DROPPED = "a proxy before this server drops the header Upgrade: let it pass WebSockets; docs/OPERATIONS.md"
log = structlog.get_logger("web.sockets")


async def socket(request: web.Request) -> web.StreamResponse:
    """Answer GET /{organisation}/ws: open a WebSocket and serve the protocol of signalling/protocol/PROTOCOL.md.

    A request from another site gets HTTP 403 before the upgrade.
    """
    return await serve(request, request.app[SIGNALLING], _authenticate, _admit, _guessed)


@web.middleware
def straight(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
    """Pass WebSockets to their handler without the other middlewares, which serve only pages.

    Each of the five other middlewares would keep a coroutine as long as a socket is open; together these coroutines
    would need 3 KB per idle socket. This middleware must be the outermost. It answers HTTP 400 to a request whose
    headers are not UTF-8, because a text with such bytes cannot be logged or stored.
    """
    if not _is_utf_8(request.raw_headers):
        raise web.HTTPBadRequest
    if request.match_info.handler is socket:
        return serve(request, request.app[SIGNALLING], _authenticate, _admit, _guessed)
    return handler(request)


def _is_utf_8(headers: tuple[tuple[bytes, bytes], ...]) -> bool:
    values = b"".join(value for _, value in headers)
    if not values.isascii():
        try:
            values.decode()
        except UnicodeDecodeError:
            return False
    return True


async def _admit(request: web.Request) -> str:
    try:
        await organisation_of(request)
    except UnavailableError:
        raise web.HTTPServiceUnavailable from None
    upgrades = request.headers.get("Upgrade", "").lower() == "websocket"
    # A plain GET without Origin is allowed: a page sends it to find out why its sockets do not open (`#findBlock` in
    # web/static/signalling.js).
    if (upgrades or "Origin" in request.headers) and not is_own_origin(
        request, request.app[SETTINGS].server.public_url
    ):
        raise web.HTTPForbidden
    if not upgrades:
        if "Sec-WebSocket-Key" in request.headers and (count := due("websocket.not_upgraded")):
            log.warning("websocket.not_upgraded", hint=DROPPED, count=count)
        raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    return neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))


async def _guessed(request: web.Request) -> None:
    try:
        async with answering(), guess(request, request.match_info["organisation"], TokenKind.RESUME):
            # The method `succeeded` of `guess` is not called, so the wrong resume token counts as a wrong
            # guess.
            pass
    except (web.HTTPTooManyRequests, BusyError):
        raise TooManyGuessesError from None


async def _authenticate(request: web.Request, role: str) -> Actor | None:
    """Return the actor of this browser in a role (staff, patient or guest), for a request to open a WebSocket.

    Returns None if the browser does not have this role. The session is read from the store at each call, because the
    browser may have signed in after it opened the socket.
    """
    async with answering():
        session = await request.app[SESSIONS].look(request)
        wanted = request.query.get("visit")
        return await ACTORS[role](request.app, session, request.match_info["organisation"], wanted)


async def signalling(app: web.Application) -> AsyncIterator[None]:
    """Open this worker's media relay and signalling when the app starts; close both and their connections when it
    ends.
    """
    settings, process = app[SETTINGS], app.get(WORKER)
    index = process.index if process is not None else 0
    relay = await Relay.open(relay_settings(settings, index))
    limits = Limits(
        message_bytes=settings.limits.message_bytes,
        unsent_bytes=settings.limits.unsent_bytes,
        hello_s=settings.limits.hello_s,
        sockets_before_hello=settings.limits.sockets_before_hello,
        sockets_per_address=settings.limits.sockets_per_address,
        sockets_per_person=settings.limits.sockets_per_person,
        rooms_max=settings.media.rooms_max,
    )
    seen_entries = SeenEntriesFile(Path(settings.data.folder))
    worker = Worker(
        app[REDIS],
        app[SEAL],
        data_key(Path(settings.data.folder)),
        app[ORGANISATIONS],
        MediaPort(relay, turn(settings)),
        limits,
        index,
        seen_entries,
        None if process is None else process.id,
        app[TRACER],
    )
    app[SIGNALLING], app[SERVICE], app[AUDIT_LOG] = worker, worker.service, worker.audit_log
    app[LIVENESS], app[INVITES] = worker.liveness, worker.guest_links
    app[SUPERVISOR], app[RELAY] = worker.supervisor, relay
    relay.forwarder.on_first_picture = counts.FIRST_PICTURE_S.observe
    watch = Watch(app, worker)
    await worker.start()
    await watch.start()
    worker.supervisor.keep("media.public-address", PublicAddress(relay, settings, index).run)
    stop_receiving = None
    if process is not None and process.streams is not None:
        stop_receiving = process.streams.receive(index, relay.streams.take)
    if process is not None and process.shares is not None:
        balance = Balance(process.shares, index, partial(_sockets, app), worker.move)
        worker.supervisor.keep("balance", balance.run)
    log.info("worker.started", worker=worker.id, pid=os.getpid())
    yield
    await watch.close()
    await worker.close()
    if stop_receiving is not None:
        stop_receiving()
    await relay.close()


def _sockets(app: web.Application) -> int:
    """Return the number of open sockets of this worker; NONE (-1) if the worker is stopping."""
    return NONE if app[DRAINING].is_set() else len(app[SIGNALLING].connections)


async def drain(app: web.Application) -> None:
    """Accept no new sockets, and make the clients of open sockets reconnect elsewhere, because the server stops."""
    app[DRAINING].set()
    await app[SIGNALLING].drain()


def turn(settings: Settings) -> Turn | None:
    """Return the TURN servers of the settings; None if there are none.

    Raises ConfigError if their secret cannot be read.
    """
    media = settings.media
    if not media.turn:
        return None
    secret = media.turn_secret or first_line("media.turn_secret_file", media.turn_secret_file)
    return Turn(media.turn, secret)


def relay_settings(settings: Settings, index: int) -> RelaySettings:
    """Return the settings of the media relay of the worker with this index.

    Their field `ports` lists UDP ports: first the worker's own port, then the others of the range
    (`Settings.media_ports`).
    """
    ports = settings.media_ports(index)
    media = settings.media
    return RelaySettings(
        host=settings.media_host,
        ports=ports,
        announce=media.announce,
        tcp=media.tcp,
        pages_port=settings.direct_port,
        index=index,
    )


class Watch:
    """Closes staff sockets whose sign-in has ended.

    When a message reports the end of a sign-in, its sockets are closed at once. If the message is lost, they are closed
    within `WATCH_S` seconds. The sign-in of a provider who is in a live visit does not end (SECURITY.md row 6).
    """

    def __init__(self, app: web.Application, worker: Worker) -> None:
        self._app = app
        self._worker, self._service, self._hub = worker, worker.service, worker.hub

    async def start(self) -> None:
        """Subscribe to changes of accounts, and begin to check every `WATCH_S` seconds whether the sign-in of each
        open staff socket has ended.

        If the store does not answer, this method returns, and the subscription is made when the store answers.
        """
        try:
            await self._worker.bus.subscribe(keys.ACCOUNTS_CHANNEL, self._on_changed)
        except UnavailableError:
            log.debug("sign_ins.store_unavailable")
        self._worker.supervisor.keep("web.sign-ins", self.run)

    async def close(self) -> None:
        """Stop checking whether the sign-ins of open staff sockets have ended."""
        await self._worker.supervisor.stop("web.sign-ins")

    def _on_changed(self, data: bytes) -> None:
        changed = msgspec.msgpack.decode(data, type=Changed)
        for actor in self._actors():
            if (actor.organisation, actor.id) == (changed.organisation, changed.person) and (
                changed.session in (None, actor.session)
            ):
                self._close(actor)
        if changed.session is None:
            self._worker.spawn(self._off_call_if_closed(changed))

    async def run(self) -> None:
        """Check every `WATCH_S` seconds, until cancelled, whether the sign-ins of open staff sockets have ended."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                async with answering():
                    await self._look()
            except UnavailableError:
                log.debug(
                    "sign_ins.store_unavailable"
                    # The staff sockets stay open, but their commands are refused while the store does not answer.
                )

    async def _look(self) -> None:
        by_organisation: dict[str, set[StaffActor]] = {}
        # The sets contain each session once, although several open pages of a browser may share a session.
        for actor in self._actors():
            by_organisation.setdefault(actor.organisation, set()).add(actor)
        for organisation, actors in by_organisation.items():
            some = list(actors)
            for start in range(0, len(some), AT_ONCE):
                try:
                    async with answering():
                        await self._look_at(organisation, some[start : start + AT_ONCE])
                except UnavailableError:
                    raise
                except Exception as error:
                    # An error ends the check of this group of sign-ins only.
                    log.error("sign_ins.watch_failed", exc_info=error)

    async def _look_at(self, organisation: str, actors: list[StaffActor]) -> None:
        storage, accounts = self._app[SESSIONS], self._app[ACCOUNTS]
        mirror = self._service.mirrors.known(organisation)
        live = mirror.visits.in_session if mirror is not None else frozenset()
        settings = None
        with leaving_out(organisation, "organisation"):
            settings = await self._app[ORGANISATIONS].get(organisation)
        people = list({actor.id for actor in actors})
        found = dict(zip(people, await accounts.many(organisation, people), strict=True))
        left_ms = await storage.many_end_in_ms([actor.session for actor in actors])
        for actor, ends_in_ms in zip(actors, left_ms, strict=True):
            account = found[actor.id]
            if account is None or account.disabled or account.generation != actor.generation:
                self._close(actor)
            elif actor.id in live:
                await storage.hold(actor.session)
            elif not ends_in_ms or (settings is not None and owes_second_factor(settings, account)):
                self._close(actor)
                if not any((a.organisation, a.id) == (organisation, actor.id) for a in self._actors()):
                    await off_call(self._service, organisation, account)

    def _actors(self) -> list[StaffActor]:
        """Return the actors (the signed-in people) of all staff sockets that are open on this worker."""
        found = [socket.actor for socket in self._hub.sockets.values() if socket.open]
        return [actor for actor in found if isinstance(actor, StaffActor)]

    def _close(self, actor: StaffActor) -> None:
        for open_socket in list(self._hub.sockets.values()):
            if open_socket.actor == actor:
                open_socket.close(SIGNED_OUT)

    async def _off_call_if_closed(self, changed: Changed) -> None:
        try:
            account = await self._app[ACCOUNTS].get(changed.organisation, changed.person)
            if account is not None and (account.disabled or account.role not in STAFF_ROLES):
                await off_call(self._service, changed.organisation, account)
        except UnavailableError:
            log.debug("sign_ins.store_unavailable")
