"""The WebSocket's door: the upgrade, hello and who may come in; and what becomes of a connection that has gone.

Knows that an identity outlives its socket: it may come back on another, on any worker. What is said in between stands
in `connection.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSMsgType, web

from signalling.protocol import messages as m
from signalling.rooms.rooms import WITH_MEDIA
from signalling.service import new_id
from signalling.sockets.connection import SAID, Connection, decoded
from signalling.sockets.websocket import WebSocket
from signalling.store.records import SupersededError, Unavailable
from signalling.store.resume_tokens import Refused, TooManyGuessesError
from signalling.visit.commands import Enter
from signalling.visit.record import STAFF_ROLES, Actor, Visit
from signalling.visit.rules import party_key

if TYPE_CHECKING:
    from signalling.worker import Worker

log = structlog.get_logger()
LINGER_S = 3.0  # a reload or a resume takes less; only then do the others see the person go
CLOSING_S = 3.0  # a peer that does not answer a close is given up after this

MOST_BEFORE_HELLO = 20
"""Pings, and hellos that are refused; each hello asks the store."""

Authenticate = Callable[[web.Request, str], Awaitable[Actor | None]]
"""Who a browser is when it speaks as "patient" or "staff"; None where it is nobody there."""
Admit = Callable[[web.Request], Awaitable[str]]
"""Returns where a browser comes from; raises where it may not have a socket at all."""
RETRY_S = 5

Guessed = Callable[[web.Request], Awaitable[None]]
"""Called when a resume token was wrong (one that is too old is not). Returns after the pause that a guess costs; raises
`TooManyGuessesError`, `Unavailable`."""


async def _everybody(request: web.Request) -> str:
    """Let anybody in who asks."""
    return request.remote or ""


async def _uncounted(request: web.Request) -> None:
    """Let anybody guess."""


async def serve(
    request: web.Request,
    worker: Worker,
    authenticate: Authenticate,
    admit: Admit = _everybody,
    guessed: Guessed = _uncounted,
) -> web.StreamResponse:
    """Serve one WebSocket until it closes. What `admit` raises is the answer instead of the upgrade."""
    address = await admit(request)
    if not worker.crowd.enter(address):
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(RETRY_S)})
    ws = WebSocket(m.SUBPROTOCOLS, worker.limits.message_bytes)
    try:
        transport = await _upgraded(request, ws)
        codec = m.CODECS.get(ws.ws_protocol or m.JSON_SUBPROTOCOL, m.CODECS[m.JSON_SUBPROTOCOL])
        connection = await _hello(request, ws, transport, codec, worker, authenticate, guessed, address)
    except ConnectionResetError:
        if not ws.prepared:
            raise
        return ws  # the client did not wait for the answer
    except TimeoutError:
        await ws.close(code=4003, message=b"no hello")
        return ws
    finally:
        worker.crowd.leave(address)
    if connection is None:
        return ws
    ws.forget_upgrade(request)
    try:
        await connection.requests()
    finally:
        worker.crowd.go(address, connection.actor)
        worker.hub.remove(connection.socket)
        if worker.connections.get(connection.id) is connection:
            del worker.connections[connection.id]
            worker.spawn(_gone(connection))
        if connection.closing is not None:
            # Without this wait the server would end the socket itself, with a code that says nothing.
            await asyncio.wait([connection.closing], timeout=CLOSING_S)
    return ws


async def _upgraded(request: web.Request, ws: WebSocket) -> asyncio.Transport:
    """Return the transport. Raises ConnectionResetError if the client has left, HTTP 400 if it asks wrongly."""
    try:
        await ws.prepare(request)
    except ValueError:  # aiohttp's, of a Sec-WebSocket-Key that is not ASCII
        raise web.HTTPBadRequest from None
    if request.transport is None:
        raise ConnectionResetError
    return request.transport


async def _reply(ws: WebSocket, codec: m.Codec, message: m.Message) -> None:
    data = codec.encode(message)
    await (ws.send_str(data.decode()) if codec.text else ws.send_bytes(data))


async def _hello(
    request: web.Request,
    ws: WebSocket,
    transport: asyncio.Transport,
    codec: m.Codec,
    worker: Worker,
    authenticate: Authenticate,
    guessed: Guessed,
    address: str,
) -> Connection | None:
    # The time is the client's, to say hello. How long the answer takes is no reason to send anybody away.
    until_s = asyncio.get_running_loop().time() + worker.limits.hello_s
    for _ in range(MOST_BEFORE_HELLO):
        try:
            async with asyncio.timeout_at(until_s):
                message = await ws.receive()
            if message.type in (WSMsgType.PING, WSMsgType.PONG):
                if message.type is WSMsgType.PING:
                    await ws.pong(message.data)
                continue
            if message.type not in SAID:
                return None
            hello = decoded(message, codec)
        except m.BadMessage as bad:
            await _reply(ws, codec, m.error(bad.reply_to, "bad_message", {"path": bad.path}))
            await ws.close(code=4003, message=b"hello first")
            return None
        if not isinstance(hello, m.Hello):
            await _reply(ws, codec, m.error(hello.id, "hello_first"))
            await ws.close(code=4003, message=b"hello first")
            return None
        try:
            actor = await authenticate(request, hello.role)
            if actor is None:
                await _reply(ws, codec, m.error(hello.id, "not_signed_in"))
                await ws.close(code=4202, message=b"not signed in")
                return None
            if not worker.crowd.has_room(address, actor) and not _replaces(worker, actor, hello):
                log.info("door.crowded", organisation=actor.organisation)
                await _reply(ws, codec, m.error(hello.id, "too_many_sockets"))
                await ws.close(code=4006, message=b"too many sockets")
                return None
            worker.crowd.stay(address, actor)
            connection = None
            try:
                connection = await _welcome(request, ws, transport, codec, worker, actor, hello, guessed)
            finally:
                if connection is None:
                    worker.crowd.go(address, actor)
            return connection
        except Refused as refused:
            await _reply(ws, codec, m.error(hello.id, refused.code))
            if isinstance(refused, TooManyGuessesError):
                await ws.close(code=4005, message=b"too many guesses")
                return None
        except Unavailable:
            await _reply(ws, codec, m.error(hello.id, "unavailable"))
    await ws.close(code=4005, message=b"too many hellos")
    return None


def _replaces(worker: Worker, actor: Actor, hello: m.Hello) -> bool:
    """Return whether a hello resumes a connection whose socket is here, perhaps dead, and will be closed for it."""
    if hello.resume is None:
        return False
    key = worker.tokens.key(actor.organisation, hello.resume)
    return any(held.actor.id == actor.id and held.origin.key == key for held in worker.connections.values())


async def _welcome(
    request: web.Request,
    ws: WebSocket,
    transport: asyncio.Transport,
    codec: m.Codec,
    worker: Worker,
    actor: Actor,
    hello: m.Hello,
    guessed: Guessed,
) -> Connection:
    resumed = hello.resume is not None
    if hello.resume is not None:
        try:
            held, origin = await worker.tokens.redeem(hello.resume, actor)
        except Refused as refused:
            if refused.code == "resume_invalid":
                await guessed(request)
            raise
        connection_id, token, pages = held.connection, hello.resume, held.pages
        if held.worker != worker.id:
            await worker.supersede(held.worker, connection_id)
    else:
        connection_id, pages = new_id("c"), ()
        token, origin = await worker.tokens.issue(connection_id, actor)
    mirror = await worker.service.mirrors.get(actor.organisation)
    visit = actor.visit
    if actor.role in STAFF_ROLES:
        own = [v for v in mirror.visits.taken if v.claimant is not None and v.claimant.id == actor.id]
        visit = max(own, key=lambda v: v.claimed_ms or 0).id if own else None
    # If the client has left meanwhile, the connection begins on its closed transport and is gone at once, as any other.
    connection = Connection(worker, actor, connection_id, origin, ws, transport, codec)
    socket = connection.socket
    ws.welcome()
    connection.entered |= frozenset(pages)
    worker.connections[connection_id] = connection
    worker.hub.add(socket)
    worker.heartbeat.watch(socket)
    if resumed:
        worker.spawn(_settle(connection))
    socket.send(
        m.Welcome(
            reply_to=hello.id,
            connection=connection_id,
            resume=token,
            resumed=resumed,
            worker=worker.id,
            me=m.Me(id=actor.id, role=actor.role, name=actor.name),
            visit=visit,
            server_ms=worker.service.store.clock_ms(),
        )
    )
    return connection


async def _settle(connection: Connection) -> None:
    """A resumed connection is where it was: on its visits' pages, and in their media (PROTOCOL.md#resume)."""
    worker, actor = connection.worker, connection.actor
    await worker.superseded(connection.id)  # somebody else may have resumed it before it could be found here
    if worker.connections.get(connection.id) is not connection:
        return
    try:
        for visit_id in list(connection.entered):
            # From the store: this worker may not have heard the newest, and the record may have the person away by now.
            visit, _ = await worker.service.store.load(actor.organisation, Visit, visit_id)
            side = party_key(visit, actor) if visit is not None else None
            if visit is None or side is None:
                continue
            await worker.service.command(actor, visit_id, Enter(connection.id, worker.id), connection.origin)
            if visit.status in WITH_MEDIA:
                await worker.seats.settle(connection.seat(visit_id, side), connection.origin)
    except SupersededError:
        return  # it was resumed once more meanwhile: it settles there
    except Unavailable:
        log.info("connection.settling_left_to_sweep", connection=connection.id)


async def left_behind(connection: Connection) -> None:
    """The connection was resumed on another worker: there it is where it was, or it is gone from here too."""
    await _linger(connection)
    await _leave_all(connection)


async def _linger(connection: Connection) -> None:
    worker = connection.worker
    worker.lingering.add(connection.id)
    try:
        await worker.lingered(LINGER_S)
    finally:
        worker.lingering.discard(connection.id)


async def _gone(connection: Connection) -> None:
    """The socket closed: the person goes at a bye, when they have not come back soon, or at once after long silence."""
    worker = connection.worker
    try:
        if connection.said_bye:
            await worker.tokens.ended(connection.origin, connection.id, connection.actor)
        elif connection.socket.silent:
            await worker.tokens.lost(connection.origin)
        else:
            lost = worker.spawn(_linger(connection))
            await worker.tokens.lost(connection.origin)
            await lost
    except Unavailable:
        log.info("connection.token_left")
    await _leave_all(connection)


async def _leave_all(connection: Connection) -> None:
    if connection.id in connection.worker.connections:
        return  # it came back
    for visit in list(connection.entered):
        try:
            await connection.left(visit)
        except Unavailable:
            log.info("connection.leave_left_to_sweep", connection=connection.id)
