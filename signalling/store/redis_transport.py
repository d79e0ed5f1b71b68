"""Writes commands to a connection of redis-py and reads the replies, by one of two classes; chooses the class.

`DirectTransport` takes the socket over from redis-py. It needs a private name of redis-py, so it is tested
once in each process, on a connection to a small server with fixed replies (`_serve`). If the test fails,
`PublicTransport` uses redis-py's public methods. It is slower, because tasks write and read, and redis-py
starts a timer for each command.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Protocol

import hiredis
import structlog
from redis.asyncio import Connection
from redis.asyncio.connection import DefaultParser
from redis.exceptions import InvalidResponse, NoScriptError, RedisError, ResponseError

CHUNK_BYTES = 1 << 12
TEST_S = 5.0
log = structlog.get_logger()


class Receiver(Protocol):
    """The methods of an object that receives the replies which a transport reads.

    `pushes`: True if it expects push messages.
    """

    pushes: bool

    def reply_received(self, reply: Any, /) -> None:
        """Handle a reply. Must not raise.

        `reply`: a value, an exception of redis-py if it is an error, or a `hiredis.PushNotification`.
        """

    def connection_lost(self, reason: str, /) -> None:
        """Handle the end of a connection that was not ended by `abort`. Called once."""


class Transport(Protocol):
    """The methods of a transport: it writes commands to a redis-py connection that is open and idle, and reads the
    replies.
    """

    def __init__(self, connection: Any, receiver: Receiver) -> None: ...
    def write(self, data: bytes, /) -> None: ...
    def abort(self) -> None: ...


class DirectTransport(asyncio.Protocol):
    """Reads and writes the socket directly. Replies are parsed in asyncio's callback for received data."""

    def __init__(self, connection: Any, receiver: Receiver) -> None:
        self._receiver = receiver
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=DefaultParser.parse_error)
        self._transport: asyncio.Transport = connection._writer.transport
        # From now on, data goes to this object instead of redis-py's stream.
        self._transport.set_protocol(self)
        self._aborted = False

    def write(self, data: bytes) -> None:
        """Write commands, which the caller has encoded, to the socket."""
        self._transport.write(data)

    def abort(self) -> None:
        """Close the connection at once."""
        self._aborted = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and give each reply to the receiver. Called by asyncio."""
        reader, received = self._reader, self._receiver.reply_received
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                received(reply)
        except InvalidResponse:
            self._receiver.connection_lost("the store cannot be understood")

    def connection_lost(self, problem: Exception | None) -> None:
        """Report the loss of the connection to the receiver, unless `abort` ended it. Called by asyncio."""
        if not self._aborted:
            self._receiver.connection_lost("the connection to the store was lost")


class PublicTransport:
    """Reads and writes by the public methods of redis-py's connection. One task writes, another task reads."""

    def __init__(self, connection: Any, receiver: Receiver) -> None:
        self._connection = connection
        self._receiver = receiver
        self._unsent = bytearray()
        self._more = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def write(self, data: bytes) -> None:
        """Pass commands, which the caller has encoded, to the task that writes.

        The task sends all commands in the order of these calls.
        """
        self._unsent += data
        self._more.set()

    def abort(self) -> None:
        """Close the connection at once, and end the tasks that write and read."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._write())
                both.create_task(self._read())
        except* (RedisError, OSError):
            pass
        finally:
            await self._connection.disconnect(nowait=True)
        self._receiver.connection_lost("the connection to the store was lost")

    async def _write(self) -> None:
        while self._connection.is_connected:
            await self._more.wait()
            self._more.clear()
            data = bytes(self._unsent)
            self._unsent.clear()
            await self._connection.send_packed_command(data, check_health=False)

    async def _read(self) -> None:
        while self._connection.is_connected:
            try:
                # The reader has no time limit: the caller limits the time of a reply, and a pub/sub connection may be
                # idle for long.
                reply = await self._connection.read_response(
                    timeout=math.inf, push_request=self._receiver.pushes
                )
            except ResponseError as problem:
                reply = problem
            self._receiver.reply_received(reply)


chosen: type[Transport] | None = None
"""The transport class of all connections in this process; None until `fastest` has chosen it."""


async def fastest() -> type[Transport]:
    """Return `DirectTransport`, or `PublicTransport` if `DirectTransport` does not work with the installed redis-py."""
    global chosen
    if chosen is None:
        problem = await _problem(DirectTransport)
        if chosen is None:  # otherwise another task has set `chosen` during the test
            chosen = PublicTransport if problem else DirectTransport
            if problem:
                log.warning("store.connection_changed", problem=problem)
    return chosen


async def _problem(kind: type[Transport]) -> str | None:
    try:
        return None if await works(kind) else "wrong replies"
    # OSError includes TimeoutError
    except (AttributeError, TypeError, RedisError, OSError) as error:
        return type(error).__name__


async def works(kind: type[Transport]) -> bool:
    """Test a transport class: return True if a reply, an error, a push message and the connection's end arrive in this
    order.

    Raises redis-py's errors or OSError if the connection fails, TimeoutError after `TEST_S`.
    """
    probe = _Probe()
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connection = Connection(host=host, port=port, protocol=3)
    try:
        async with asyncio.timeout(TEST_S):
            await connection.connect()  # type: ignore[no-untyped-call]
            transport = kind(connection, probe)
            transport.write(hiredis.pack_command(("ECHO",)) + hiredis.pack_command(("EVALSHA",)))
            transport.write(hiredis.pack_command(("SUBSCRIBE",)) + hiredis.pack_command(("QUIT",)))
            await probe.ended.wait()
    finally:
        await connection.disconnect(nowait=True)
        server.close()
    match probe.replies:
        case [b"word", NoScriptError(), hiredis.PushNotification() as push]:
            return list(push) == [b"subscribe", b"news", 1]
    return False


class _Probe:
    pushes = True

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.ended = asyncio.Event()

    def reply_received(self, reply: Any) -> None:
        self.replies.append(reply)

    def connection_lost(self, reason: str) -> None:
        self.ended.set()


_SCRIPT = {
    b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    b"ECHO": b"$4\r\nword\r\n",
    b"EVALSHA": b"-NOSCRIPT No matching script.\r\n",
    b"SUBSCRIBE": b">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n",
}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the commands of one connection as a Redis server does, with the fixed replies in `_SCRIPT`.

    The reply to a command that is not in `_SCRIPT` is OK. QUIT closes the connection. Commands are read from
    `reader`, replies are written to `writer`.
    """
    commands = hiredis.Reader()
    while not writer.is_closing() and (data := await reader.read(CHUNK_BYTES)):
        commands.feed(data)
        while (command := commands.gets()) is not False:
            if command[0] == b"QUIT":
                writer.close()
            else:
                writer.write(_SCRIPT.get(command[0], b"+OK\r\n"))
    writer.close()
