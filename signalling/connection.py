"""One WebSocket: hello, then requests in order until it closes; its identity may come back on another socket.

Knows the transport and its limits. What a request does stands in `handlers.py`; fan-out in `hub.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import WSMessage, WSMsgType, web

from signalling import messages as m
from signalling.commands import Enter, Leave
from signalling.handlers import HANDLERS
from signalling.hub import PONG, Socket, frame
from signalling.record import STAFF_ROLES, Actor, Visit
from signalling.resume import Refused
from signalling.rooms import WITH_MEDIA
from signalling.service import new_id
from signalling.store import Unavailable
from signalling.sweep import system
from signalling.visit import party_key
from signalling.websocket import WebSocket
from signalling.wire import Seat

if TYPE_CHECKING:
    from signalling.worker import Worker

log = structlog.get_logger()
LINGER_S = 3.0  # a reload or a resume takes less; only then do the others see the person go
CLOSING_S = 3.0  # a peer that does not answer a close is given up after this
MOST_BAD = 10
BURST, RATE = 200, 50.0  # messages at once, and per second after that
Rest = Coroutine[Any, Any, None] | None
"""What is left to do about a message where its answer must wait for something."""
SAID = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})
"""What a client says; all else is about the socket itself, and ends it."""

Authenticate = Callable[[web.Request, str], Awaitable[Actor | None]]
"""Who a browser is when it speaks as "patient" or "staff"; None where it is nobody there."""
Admit = Callable[[web.Request], Awaitable[None]]
"""Raises where a browser may not have a socket at all."""


class Flood:
    """A token bucket of messages. `now` in seconds."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._at = now

    def takes(self, now: float) -> bool:
        """Return whether one more message is all right."""
        self._tokens = min(BURST, self._tokens + (now - self._at) * RATE) - 1
        self._at = now
        return self._tokens >= 0


class Connection:
    """A client that said hello: who it is, its socket, and the visits whose page it is on."""

    __slots__ = (
        "_bad",
        "_busy",
        "_flood",
        "_rest",
        "_ws",
        "actor",
        "closing",
        "entered",
        "id",
        "noted",
        "said_bye",
        "socket",
        "token",
        "worker",
    )

    def __init__(
        self,
        worker: Worker,
        actor: Actor,
        connection_id: str,
        token: str,
        ws: WebSocket,
        transport: asyncio.WriteTransport,
        codec: m.Codec,
    ) -> None:
        self.worker = worker
        self.actor = actor
        self.id = connection_id
        self.token = token
        self._ws = ws
        self.socket = Socket(transport, codec, actor, connection_id, worker.limits.unsent_bytes, self.cut)
        self.entered: frozenset[str] = frozenset()
        self.noted: frozenset[tuple[str, str]] = frozenset()  # a patient's entries in the audit trail
        self.said_bye = False
        self.closing: asyncio.Task[None] | None = None
        self._flood = Flood(time.monotonic())
        self._bad = 0
        self._busy = False  # a request is not answered yet: what comes after it waits
        self._rest: Rest = None  # of the message that is received next

    def cut(self, code: int) -> None:
        """End the socket with a close code."""
        if code == 4002:
            self.socket.abort()  # a close frame would wait behind all that it does not read
        else:
            self.closing = self.worker.spawn(_close(self._ws, code))

    async def requests(self) -> None:
        """Answer requests one after another, until the socket closes: a client's own are never reordered.

        Most are answered where they are read; here are those whose answer must wait for something.
        """
        self._ws.take(self._takes)
        try:
            while self.socket.open:
                message = await self._ws.receive()
                if message.type not in SAID:
                    return
                self._busy = True
                rest, self._rest = self._rest, None
                rest = rest or self._heard(message)
                if rest is not None:
                    await rest
                self._busy = False
        finally:
            if self._rest is not None:
                self._rest.close()

    def _takes(self, message: WSMessage) -> bool:
        if self._busy or not self.socket.open or message.type not in SAID:
            return False
        self._rest = self._heard(message)
        self._busy = self._rest is not None
        return not self._busy

    def _heard(self, message: WSMessage) -> Rest:
        """Answer what was said, as far as it can be answered at once."""
        socket = self.socket
        socket.heard_s = time.monotonic()
        if message.type is WSMsgType.PONG:
            return None
        if message.type is WSMsgType.PING:
            socket.write(frame(message.data, PONG))
            if not self._flood.takes(socket.heard_s):
                socket.close(4005)
            return None
        try:
            request = _decoded(message, socket.codec)
        except m.BadMessage as problem:
            self._bad += 1
            socket.send(m.error(problem.reply_to, "bad_message", {"path": problem.path}))
            if self._bad >= MOST_BAD:
                socket.close(4004)
            return None
        if not self._flood.takes(socket.heard_s):
            socket.close(4005)
        elif isinstance(request, m.Bye):
            self.said_bye = True
            socket.close(1000)
        else:
            return self._asked(request)
        return None

    def _asked(self, request: m.ClientMessage) -> Rest:
        handler = HANDLERS.get(type(request), _unknown)
        try:
            answer = handler(self, request)
        except Exception as problem:  # noqa: BLE001 - told apart, and logged, there
            answer = _refusal(request, problem)
        if isinstance(answer, m.Message):
            self.socket.send(answer)
        elif answer is not None:
            return self._waited(request, answer)
        return None

    async def _waited(self, request: m.ClientMessage, answer: Awaitable[m.Message | None]) -> None:
        try:
            said = await answer
        except Exception as problem:  # noqa: BLE001
            said = _refusal(request, problem)
        if said is not None:
            self.socket.send(said)

    async def keep_pages(self) -> None:
        """Keep the visits whose page this is on, so that they survive this worker. Raises `Unavailable`."""
        await self.worker.tokens.on_pages(self.token, self.id, self.actor, sorted(self.entered))

    async def left(self, visit: str) -> None:
        """This connection is no longer on a visit's page. Raises `Unavailable`."""
        self.entered -= {visit}
        await self.worker.rooms.leave(self.id)
        leave = Leave(self.id, self.worker.id)
        await self.worker.service.command(system(self.actor.organisation), visit, leave)


async def _everybody(request: web.Request) -> None:
    """Let anybody in who asks."""


async def serve(
    request: web.Request, worker: Worker, authenticate: Authenticate, admit: Admit = _everybody
) -> web.StreamResponse:
    """Serve one WebSocket until it closes. What `admit` raises is the answer instead of the upgrade."""
    await admit(request)
    ws = WebSocket(m.SUBPROTOCOLS, worker.limits.message_bytes)
    await ws.prepare(request)
    codec = m.CODECS.get(ws.ws_protocol or m.JSON_SUBPROTOCOL, m.CODECS[m.JSON_SUBPROTOCOL])
    try:
        connection = await asyncio.wait_for(
            _hello(request, ws, codec, worker, authenticate), worker.limits.hello_s
        )
    except TimeoutError:
        await ws.close(code=4003, message=b"no hello")
        return ws
    if connection is None:
        return ws
    ws.forget_upgrade(request)
    try:
        await connection.requests()
    finally:
        worker.hub.remove(connection.socket)
        if worker.connections.get(connection.id) is connection:
            del worker.connections[connection.id]
            worker.spawn(_gone(connection))
        if connection.closing is not None:
            # Without this wait the server would end the socket itself, with a code that says nothing.
            await asyncio.wait([connection.closing], timeout=CLOSING_S)
    return ws


def _decoded(message: WSMessage, codec: m.Codec) -> m.ClientMessage:
    """Return what came. Raises `BadMessage`."""
    if (message.type is WSMsgType.TEXT) is not codec.text:
        raise m.BadMessage("frame type", None)
    return codec.decode(message.data)


async def _reply(ws: WebSocket, codec: m.Codec, message: m.Message) -> None:
    data = codec.encode(message)
    await (ws.send_str(data.decode()) if codec.text else ws.send_bytes(data))


async def _hello(
    request: web.Request,
    ws: WebSocket,
    codec: m.Codec,
    worker: Worker,
    authenticate: Authenticate,
) -> Connection | None:
    while True:
        try:
            message = await ws.receive()
            if message.type in (WSMsgType.PING, WSMsgType.PONG):
                if message.type is WSMsgType.PING:
                    await ws.pong(message.data)
                continue
            if message.type not in SAID:
                return None
            hello = _decoded(message, codec)
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
            return await _welcome(request, ws, codec, worker, actor, hello)
        except Refused as refused:
            await _reply(ws, codec, m.error(hello.id, refused.code))
        except Unavailable:
            await _reply(ws, codec, m.error(hello.id, "unavailable"))


async def _welcome(
    request: web.Request,
    ws: WebSocket,
    codec: m.Codec,
    worker: Worker,
    actor: Actor,
    hello: m.Hello,
) -> Connection:
    resumed = hello.resume is not None
    if hello.resume is not None:
        held = await worker.tokens.redeem(hello.resume, actor)
        connection_id, token, pages = held.connection, hello.resume, held.pages
        if held.worker != worker.id:
            await worker.supersede(held.worker, connection_id)
    else:
        connection_id, pages = new_id("c"), ()
        token = await worker.tokens.issue(connection_id, actor)
    mirror = await worker.service.mirrors.get(actor.organisation)
    visit = actor.visit
    if actor.role in STAFF_ROLES:
        own = [v for v in mirror.visits.taken if v.claimant is not None and v.claimant.id == actor.id]
        visit = max(own, key=lambda v: v.claimed_ms or 0).id if own else None
    transport = request.transport
    assert transport is not None, "a socket that was just upgraded has its transport"
    connection = Connection(worker, actor, connection_id, token, ws, transport, codec)
    socket = connection.socket
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


async def _close(ws: WebSocket, code: int) -> None:
    await ws.close(code=code)


def _unknown(connection: Connection, request: m.ClientMessage) -> m.Message:
    return m.error(request.id, "bad_message", {"path": "$.type"})  # a second hello


def _refusal(request: m.ClientMessage, problem: Exception) -> m.Message:
    """The answer to a request in which something went wrong."""
    if isinstance(problem, LookupError):
        return m.error(request.id, "not_found")
    if not isinstance(problem, Unavailable):
        # A fault of ours in one request must not take the socket, and must be seen by us.
        log.error("connection.request_failed", request=type(request).__name__, exc_info=problem)
    return m.error(request.id, "unavailable")


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
            await worker.service.command(actor, visit_id, Enter(connection.id, worker.id))
            if visit.status in WITH_MEDIA:
                await worker.rooms.settle(Seat(actor.organisation, visit_id, side, connection.id, worker.id))
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
    """The socket closed: the person goes at a bye, or when they have not come back soon."""
    worker = connection.worker
    try:
        if connection.said_bye:
            await worker.tokens.ended(connection.token, connection.id, connection.actor)
        else:
            lost = worker.spawn(_linger(connection))
            await worker.tokens.lost(connection.token)
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
