"""The start of a WebSocket: HTTP upgrade, `hello`, admission and resume.

A connection lasts longer than its socket: the client may resume it on another socket, at any worker. `connection.py`
handles the messages after `welcome`, `clean_up.py` the end of the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSMessage, WSMsgType, web

from signalling import counts
from signalling.errors import (
    BadMessageError,
    NotUtf8Error,
    ResumeError,
    SupersededError,
    TooManyGuessesError,
    UnavailableError,
)
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL, SUBPROTOCOLS, Codec
from signalling.protocol.errors import error
from signalling.repeated import due
from signalling.rooms.rooms import WITH_MEDIA
from signalling.service import new_id
from signalling.sockets.clean_up import socket_ended
from signalling.sockets.connection import CLIENT_FRAMES, Connection, decoded
from signalling.sockets.websocket import WebSocket
from signalling.visit.commands import Enter
from signalling.visit.record import STAFF_ROLES, Actor, Visit
from signalling.visit.relations import party_key

if TYPE_CHECKING:
    from signalling.worker import Worker

log = structlog.get_logger()
# Pauses in s between attempts to put a resumed connection back into its calls. Several attempts are made
# because the worker that owns the room may be unreachable for a moment.
RESTORE_PAUSES_S = 0.1, 0.3, 1.0, 2.0, 4.0
CLOSING_S = 3.0  # a client that does not answer a close frame is disconnected after this time in s

MOST_BEFORE_HELLO = 20
"""The greatest number of pings and refused `hello` messages on one socket before an accepted `hello`.

It is limited because each `hello` causes a request to the store.
"""

Authenticate = Callable[[web.Request, str], Awaitable[Actor | None]]
"""Returns the actor (the person) at a browser in the role "patient", "staff" or "guest"; None if the browser does not
have this role.
"""
Admit = Callable[[web.Request], Awaitable[str]]
"""Returns the IP address of a browser. Raises an HTTP error if the browser may not open a socket."""
RETRY_S = 5

Guessed = Callable[[web.Request], Awaitable[None]]
"""Called after a wrong resume token, but not after an expired token.

Returns after a pause, so that a client cannot guess fast. Raises `TooManyGuessesError` if the client's address has sent
too many wrong tokens, `UnavailableError` if the store does not answer.
"""


async def _everybody(request: web.Request) -> str:
    """Admit every request to open a socket: return the IP address of its browser, "" if it is unknown."""
    return request.remote or ""


async def _uncounted(request: web.Request) -> None:
    """Return at once, without counting the wrong token: the default of `guessed` in `serve`."""


async def serve(
    request: web.Request,
    worker: Worker,
    authenticate: Authenticate,
    admit: Admit = _everybody,
    guessed: Guessed = _uncounted,
) -> web.StreamResponse:
    """Serve one WebSocket until its `hello` is accepted or it closes, and return the response.

    After `hello`, the connection goes on without this request (`WebSocket.detach`).

    `authenticate` returns the person at the browser. `admit` checks the request; its HTTP error is sent in place of the
    upgrade. `guessed` is called after each wrong resume token. The default functions check nothing.
    """
    if worker.draining:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
    address = await admit(request)
    if not worker.socket_counts.add_before_hello(address):
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(RETRY_S)})
    ws = worker.websocket(SUBPROTOCOLS, worker.limits.message_bytes)
    try:
        transport = await _upgraded(request, ws)
        codec = CODECS.get(ws.ws_protocol or JSON_SUBPROTOCOL, CODECS[JSON_SUBPROTOCOL])
        connection = await _hello(request, ws, transport, codec, worker, authenticate, guessed, address)
    except ConnectionResetError:
        if not ws.prepared:
            raise
        return ws  # the client disconnected before it received the server's reply
    except TimeoutError:
        code, why = (1001, b"draining") if worker.draining else (4003, b"no hello")
        await ws.close(code=code, message=why)
        return ws
    finally:
        worker.socket_counts.remove_before_hello(address)
    if connection is None:
        return ws
    ended = partial(socket_ended, worker, connection, address)
    detached = ws.detach(request, connection.handled, connection.wake)
    if detached is not None:
        connection.continue_on(detached, ended)
        return ws
    try:
        await connection.requests()
    finally:
        ended()
        if connection.closing is not None:
            # Wait until the client has closed the socket, too: otherwise aiohttp would close it itself, with another
            # code.
            await asyncio.wait([connection.closing], timeout=CLOSING_S)
    return ws


async def _upgraded(request: web.Request, ws: WebSocket) -> asyncio.Transport:
    """Upgrade an HTTP request to a WebSocket, and return its transport.

    Raises ConnectionResetError if the client has left, HTTPBadRequest if its request is invalid.
    """
    try:
        await ws.prepare(request)
    except ValueError:  # aiohttp raises ValueError for a Sec-WebSocket-Key that is not ASCII
        raise web.HTTPBadRequest from None
    if request.transport is None:
        raise ConnectionResetError
    return request.transport


async def _reply(ws: WebSocket, codec: Codec, message: server.Message) -> None:
    data = codec.encode(message)
    await (ws.send_str(data.decode()) if codec.text else ws.send_bytes(data))


async def _refuse(ws: WebSocket, codec: Codec, hello: client.Hello, code: str) -> None:
    counts.SOCKETS_OPENED[code] += 1
    await _reply(ws, codec, error(hello.id, code))


async def _hello(
    request: web.Request,
    ws: WebSocket,
    transport: asyncio.Transport,
    codec: Codec,
    worker: Worker,
    authenticate: Authenticate,
    guessed: Guessed,
    address: str,
) -> Connection | None:
    # The time limit applies to the client's `hello`. The time in which the server replies does not count.
    until_s = asyncio.get_running_loop().time() + worker.limits.hello_s
    for _ in range(MOST_BEFORE_HELLO):
        try:
            message = await _received(ws, worker, until_s)
            if message.type in (WSMsgType.PING, WSMsgType.PONG):
                if message.type is WSMsgType.PING:
                    await ws.pong(message.data)
                continue
            if message.type not in CLIENT_FRAMES:
                return None
            hello = decoded(message, codec)
        except NotUtf8Error:
            await ws.close(code=1007)
            return None
        except BadMessageError as bad:
            await _reply(ws, codec, error(bad.reply_to, "bad_message", {"path": bad.path}))
            await ws.close(code=4003, message=b"hello first")
            return None
        if not isinstance(hello, client.Hello):
            await _reply(ws, codec, error(hello.id, "hello_first"))
            await ws.close(code=4003, message=b"hello first")
            return None
        try:
            actor = await authenticate(request, hello.role)
            if actor is None:
                await _refuse(ws, codec, hello, "not_signed_in")
                await ws.close(code=4202, message=b"not signed in")
                return None
            if not worker.socket_counts.allows(address, actor) and not _replaces(worker, actor, hello):
                if count := due("websocket.too_many"):
                    log.info("websocket.too_many", organisation=actor.organisation, count=count)
                await _refuse(ws, codec, hello, "too_many_sockets")
                await ws.close(code=4006, message=b"too many sockets")
                return None
            worker.socket_counts.add(address, actor)
            connection = None
            try:
                connection = await _welcome(request, ws, transport, codec, worker, actor, hello, guessed)
            finally:
                if connection is None:
                    worker.socket_counts.remove(address, actor)
            return connection
        except ResumeError as refused:
            await _refuse(ws, codec, hello, refused.code)
            if isinstance(refused, TooManyGuessesError):
                await ws.close(code=4005, message=b"too many guesses")
                return None
        except UnavailableError:
            await _refuse(ws, codec, hello, "unavailable")
    await ws.close(code=4005, message=b"too many hellos")
    return None


async def _received(ws: WebSocket, worker: Worker, until_s: float) -> WSMessage:
    """Return the next message of a client before its `hello` was accepted.

    Raises TimeoutError at `until_s` of the event loop's clock, or as soon as the worker begins to stop.
    """
    async with asyncio.timeout_at(0 if worker.draining else until_s) as awaited:
        worker.hellos.add(awaited)
        try:
            return await ws.receive()
        finally:
            worker.hellos.discard(awaited)


def _replaces(worker: Worker, actor: Actor, hello: client.Hello) -> bool:
    """Return True if a `hello` resumes a connection whose old socket is on this worker.

    That socket is then closed, so the number of sockets does not grow.
    """
    if hello.resume is None:
        return False
    key = worker.tokens.key(actor.organisation, hello.resume)
    return any(held.actor.id == actor.id and held.origin.key == key for held in worker.connections.values())


async def _welcome(
    request: web.Request,
    ws: WebSocket,
    transport: asyncio.Transport,
    codec: Codec,
    worker: Worker,
    actor: Actor,
    hello: client.Hello,
    guessed: Guessed,
) -> Connection:
    resumed = hello.resume is not None
    if hello.resume is not None:
        try:
            held, origin = await worker.tokens.redeem(hello.resume, actor)
        except ResumeError as refused:
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
    # If the client has left since it sent `hello`, the connection begins on a closed transport and is removed
    # at once.
    connection = Connection(
        worker.services, actor, connection_id, origin, ws, transport, codec, worker.limits.unsent_bytes
    )
    socket = connection.socket
    ws.welcome()
    if pages:
        connection.entered = frozenset(pages)
    worker.connections[connection_id] = connection
    worker.hub.add(socket)
    worker.heartbeat.watch(socket)
    counts.SOCKETS_OPENED["resumed" if resumed else "new"] += 1
    if resumed:
        worker.spawn(_restore(worker, connection))
    socket.send(
        server.Welcome(
            reply_to=hello.id,
            connection=connection_id,
            resume=token,
            resumed=resumed,
            worker=worker.id,
            me=shapes.Me(id=actor.id, role=actor.role, name=actor.name),
            visit=visit,
            server_ms=worker.service.clock_ms(),
        )
    )
    if worker.draining:
        socket.close(1001)  # The worker stops, and closes all sockets with this code.
    return connection


async def _restore(worker: Worker, connection: Connection) -> None:
    """Put a resumed connection back on its visits' pages and into their calls (PROTOCOL.md#resume).

    If the store or a room's owner cannot be reached, try again after each pause of RESTORE_PAUSES_S.
    """
    # If another socket has resumed the connection before this worker registered the present socket, close the present
    # socket.
    await worker.superseded(connection.id)
    if worker.connections.get(connection.id) is not connection:
        return
    for pause_s in RESTORE_PAUSES_S:
        try:
            await _enter_again(worker, connection)
        except SupersededError:
            return  # the connection was resumed once more, and that later resume restores it
        except UnavailableError:
            log.info("connection.restored_later", connection=connection.id)
            await asyncio.sleep(pause_s)
            if worker.connections.get(connection.id) is not connection:
                return
        else:
            return


async def _enter_again(worker: Worker, connection: Connection) -> None:
    """Add a resumed connection again to each visit whose page it had open: to the visit's page, and to its call.

    Raises `UnavailableError` if the store or a room's owner cannot be reached, `SupersededError` if a newer socket uses
    the connection.
    """
    actor = connection.actor
    for visit_id in list(connection.entered):
        # The record is read from the store: this worker's copy may be older, and the person may have left the visit by
        # now.
        visit, _ = await worker.service.store.load(actor.organisation, Visit, visit_id)
        side = party_key(visit, actor) if visit is not None else None
        if visit is None or side is None or visit_id not in connection.entered:
            continue
        await worker.service.command(actor, visit_id, Enter(connection.id, worker.id), connection.origin)
        if visit.status in WITH_MEDIA:
            await worker.memberships.rejoin(connection.member(visit_id, side), connection.origin)
            if visit_id not in connection.entered:  # the person has left the page meanwhile
                await worker.memberships.leave(connection.id, visit_id)
