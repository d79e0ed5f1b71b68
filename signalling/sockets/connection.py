"""Handles one WebSocket after its `hello`: answers the client's requests in order, until the socket closes.

`handshake.py` defines admission and resume, `handlers.py` the effect of each request, `hub.py` the sending of topics.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSMessage, WSMsgType

from signalling import counts
from signalling.errors import BadMessageError, NotUtf8Error, SupersededError, UnavailableError
from signalling.hub import PONG, Socket, frame
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol.codec import Codec
from signalling.protocol.errors import error
from signalling.rooms.worker_messages import Member
from signalling.sockets.handlers import HANDLERS, Later
from signalling.sockets.services import Services
from signalling.sockets.websocket import WebSocket
from signalling.store.records import Origin
from signalling.sweep import system
from signalling.visit.commands import Leave
from signalling.visit.record import Actor

if TYPE_CHECKING:
    from signalling.sockets.open_socket import OpenSocket

log = structlog.get_logger()
MOST_BAD = 10
# A client may send BURST messages at once, and RATE more in each second.
BURST, RATE = 200, 50.0
PROBE_EVERY_S = 5.0
Pending = tuple[client.ClientMessage, Later] | None
"""A request whose reply must wait for the store, with the coroutine that returns the reply; None if there is none."""
CLIENT_FRAMES = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})
"""The frame types that a client may send. All other types report that the socket is closing or has failed."""


class Flood:
    """A token bucket that limits the messages of one client. `now`: the monotonic time in s."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._at = now

    def takes(self, now: float) -> bool:
        """Count one message; return True if it is within the limit. `now`: the monotonic time in s."""
        self._tokens = min(BURST, self._tokens + (now - self._at) * RATE) - 1
        self._at = now
        return self._tokens >= 0


class Connection:
    """A client after `hello`: its person (`actor`), its socket, and the visits whose page it has open (`entered`)."""

    __slots__ = (
        "_bad",
        "_busy",
        "_ended",
        "_flood",
        "_pending",
        "_probed_s",
        "_ws",
        "actor",
        "closing",
        "entered",
        "id",
        "noted",
        "origin",
        "received_bye",
        "services",
        "socket",
    )

    def __init__(
        self,
        services: Services,
        actor: Actor,
        connection_id: str,
        origin: Origin,
        ws: WebSocket,
        transport: asyncio.WriteTransport,
        codec: Codec,
        unsent_bytes: int,
    ) -> None:
        self.services = services
        self.actor = actor
        self.id = connection_id
        self.origin = origin
        self._ws: WebSocket | OpenSocket = ws
        # the function to call once when the socket ends; None before `continue_on`, and None again after the call
        self._ended: Callable[[], None] | None = None
        self.socket = Socket(transport, codec, actor, connection_id, unsent_bytes, self.cut)
        self.entered: frozenset[str] = frozenset()
        # (name, visit) of the audit log entries that this connection has already written for a patient
        self.noted: frozenset[tuple[str, str]] = frozenset()
        self.received_bye = False
        self.closing: asyncio.Task[None] | None = None
        self._flood = Flood(time.monotonic())
        self._probed_s = float("-inf")
        self._bad = 0
        self._busy = False  # True while a task answers requests; later messages wait until it ends
        self._pending: Pending = None  # the request whose reply waits for the store, if there is one

    def cut(self, code: int) -> None:
        """Close the socket with a close code.

        With code 4002 (the client reads too slowly) the connection is aborted.
        """
        counts.SOCKETS_CLOSED[str(code)] += 1
        if code == 4002:
            self.socket.abort()  # a close frame would wait behind the data that the client does not read
        else:
            self.closing = self.services.spawn(self._close(code))

    async def _close(self, code: int) -> None:
        await self._ws.close(code=code)
        self.wake()

    def may_probe(self, now_s: float) -> bool:
        """Return True if the client may test its network now, and record the test. One test is allowed every
        PROBE_EVERY_S.

        `now_s`: the monotonic time in s.
        """
        allowed = now_s - self._probed_s >= PROBE_EVERY_S
        if allowed:
            self._probed_s = now_s
        return allowed

    def continue_on(self, detached: OpenSocket, ended: Callable[[], None]) -> None:
        """Receive from the socket `detached` from now on. A task runs only while a request waits.

        `ended` is called once, when the socket is closed and none of its requests is being answered.
        """
        self._ws, self._ended = detached, ended
        self.wake()

    def wake(self) -> None:
        """Start a task for the requests that `handled` could not answer at once. The task also cleans up a closed
        connection.

        No task is started if one runs already, or before `continue_on`.
        """
        self.socket.received_s = time.monotonic()
        if not self._busy and self._ended is not None:
            self._busy = True
            self.services.spawn(self.requests())

    async def requests(self) -> None:
        """Answer requests one after another, in the client's order, until the socket closes or no request waits.

        Most requests are answered inside the reader (`handled`). This loop handles the requests whose reply must wait.
        """
        try:
            while self.socket.open:
                message = await self._ws.receive()
                if message is None or message.type not in CLIENT_FRAMES:
                    return
                # `handled` may have decoded this message already: then `_pending` contains its request. Otherwise
                # `_handle` decodes the message now.
                pending, self._pending = self._pending, None
                pending = pending or self._handle(message)
                if pending is not None:
                    await self._answer(*pending)
        except Exception:
            # This task ends with an unexpected error. If the socket stayed open, later requests would wait without end.
            self.socket.close(1011)
            raise
        finally:
            self._busy = False
            if self._pending is not None:
                self._pending[1].close()
                self._pending = None
            if self._ended is not None and (self._ws.ended or not self.socket.open):
                ended, self._ended = self._ended, None
                ended()

    def handled(self, message: WSMessage) -> bool:
        """Answer a message inside the socket's reader if that needs no waiting; return True if it is answered."""
        if self._busy or not self.socket.open or message.type not in CLIENT_FRAMES:
            return False
        self._pending = self._handle(message)
        return self._pending is None

    def _handle(self, message: WSMessage) -> Pending:
        """Answer a message, and return None; if the answer must wait for the store, return (request, coroutine of the
        reply).
        """
        socket = self.socket
        socket.received_s = time.monotonic()
        if message.type is WSMsgType.PONG:
            return None
        if message.type is WSMsgType.PING:
            socket.write(frame(message.data, PONG))
            if not self._flood.takes(socket.received_s):
                socket.close(4005)
            return None
        try:
            request = decoded(message, socket.codec)
        except NotUtf8Error:
            socket.close(1007)
            return None
        except BadMessageError as problem:
            self._bad += 1
            socket.send(error(problem.reply_to, "bad_message", {"path": problem.path}))
            if self._bad >= MOST_BAD:
                socket.close(4004)
            return None
        if not self._flood.takes(socket.received_s):
            socket.close(4005)
        elif isinstance(request, client.Bye):
            self.received_bye = True
            socket.close(1000)
        else:
            return self._dispatch(request)
        return None

    def _dispatch(self, request: client.ClientMessage) -> Pending:
        handler = HANDLERS.get(type(request), _unknown)
        try:
            answer = handler(self, request)
            if isinstance(answer, server.Message):
                self.socket.send(answer)
                answer = None
        except Exception as problem:  # noqa: BLE001 - handled in `_refuse`
            self._refuse(request, problem)
            return None
        return None if answer is None else (request, answer)

    async def _answer(self, request: client.ClientMessage, answer: Later) -> None:
        try:
            reply = await answer
            if reply is not None:
                self.socket.send(reply)
        except Exception as problem:  # noqa: BLE001 - handled in `_refuse`
            self._refuse(request, problem)

    def _refuse(self, request: client.ClientMessage, problem: Exception) -> None:
        """Send the error that answers a request which raised `problem`, if it must have a reply."""
        refusal = self._refusal(request, problem)
        if refusal is not None:
            self.socket.send(refusal)

    def _refusal(self, request: client.ClientMessage, problem: Exception) -> server.Message | None:
        """Return the error that answers a request which raised `problem`; None if the request must have no reply."""
        if isinstance(problem, SupersededError):
            # The client uses a newer socket, on which it repeats its unanswered requests.
            self.socket.close(4203)
            self.services.spawn(self.services.superseded(self.id))
            return None
        if isinstance(problem, LookupError):
            return error(request.id, "not_found")
        if not isinstance(problem, UnavailableError):
            # A fault of the server in one request is logged, and must not end the socket.
            log.error("connection.request_failed", request=type(request).__name__, exc_info=problem)
        return error(request.id, "unavailable")

    def member(self, visit: str, party: str) -> Member:
        """Return this connection as a member of a visit's room. `party`: its key in `Visit.parties`."""
        codec = self.socket.codec.subprotocol
        return Member(
            self.actor.organisation, visit, party, self.actor.id, self.id, self.services.worker, codec
        )

    async def keep_pages(self) -> None:
        """Store which visits' pages this connection has open, so that other workers know them if this worker crashes.

        Raises `UnavailableError` if the store does not answer.
        """
        await self.services.tokens.on_pages(self.origin, self.id, self.actor, sorted(self.entered))

    async def left(self, visit: str) -> None:
        """Record that this connection no longer has a visit's page open.

        Raises `UnavailableError` if the store does not answer.
        """
        self.entered -= {visit}
        await self.services.memberships.leave(self.id, visit)
        leave = Leave(self.id, self.services.worker)
        await self.services.service.command(system(self.actor.organisation), visit, leave)


def decoded(message: WSMessage, codec: Codec) -> client.ClientMessage:
    """Return the request in `message`, which the client has encoded with `codec`.

    Raises `BadMessageError` if the message is no request or has the wrong frame type, `NotUtf8Error` if its text is not
    UTF-8.
    """
    if (message.type is WSMsgType.TEXT) is not codec.text:
        raise BadMessageError("frame type", None)
    return codec.decode(message.data)


def _unknown(connection: Connection, request: client.ClientMessage) -> server.Message:
    # Only a second `hello` has no handler: the client may send `hello` only once.
    return error(request.id, "bad_message", {"path": "$.type"})
