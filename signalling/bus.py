"""The bus: what other workers say, over Redis pub/sub. A hint, never the truth: whoever listens must notice
what is missing.

Knows channels and bytes. One connection for all channels of this worker; when it is lost it comes back with all
its channels, and then calls `on_reconnected`, because what was said meanwhile is gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import hiredis
import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, InvalidResponse, RedisError

from signalling.line import Line, connected, patience_s, reader, taken_over
from signalling.store import Unavailable, answering

LOOK_S = 5.0  # so often the store is asked whether the connection still stands
Handler = Callable[[bytes], None]
log = structlog.get_logger()


def _command(*words: str | bytes) -> bytes:
    pack: Any = hiredis.pack_command  # its stubs know one word only
    packed: bytes = pack(words)
    return packed


class _Ear(asyncio.Protocol):
    """One connection that hears, until `lost` is done. Messages go from the socket to their handler at once: a task
    between the two would cost more than most handlers do.
    """

    def __init__(self, connection: Any, hand: Callable[[bytes, bytes], None]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_s = time.monotonic()
        self._hand = hand
        self._reader = reader()
        self._confirmed: dict[bytes, asyncio.Future[None]] = {}
        self._connection = connection
        self._transport = taken_over(connection, self)

    async def subscribe(self, channels: Iterable[bytes]) -> None:
        """Return when the store has confirmed the channels. Raises redis-py's ConnectionError."""
        loop = asyncio.get_running_loop()
        asked = {channel: self._confirmed.get(channel) or loop.create_future() for channel in channels}
        if not asked:
            return
        self._confirmed |= asked
        self._transport.write(_command("SUBSCRIBE", *asked))
        confirmed = asyncio.gather(*asked.values())
        await asyncio.wait((self.lost, confirmed), return_when=asyncio.FIRST_COMPLETED)
        if self.lost.done():
            raise ConnectionError("the connection to the store was lost")

    def look(self) -> None:
        """Ask for a sign of life."""
        self._transport.write(_command("PING"))

    def data_received(self, data: bytes) -> None:
        """asyncio's: hands each message on."""
        self.heard_s = time.monotonic()
        try:
            self._reader.feed(data)
            while (said := self._reader.gets()) is not False:
                kind, *words = said
                if kind == b"message":
                    self._hand(*words)
                elif kind == b"subscribe":
                    self._confirm(words[0])
        except (InvalidResponse, RedisError, TypeError, ValueError):
            self.close()  # it cannot be understood

    def _confirm(self, channel: bytes) -> None:
        waiting = self._confirmed.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def connection_lost(self, problem: Exception | None) -> None:
        """asyncio's."""
        if not self.lost.done():
            self.lost.set_result(None)

    def close(self) -> None:
        """Hear nothing more."""
        self._transport.abort()
        self.connection_lost(None)

    async def release(self) -> None:
        """Let redis-py put its connection away."""
        self.close()
        await self._connection.disconnect(nowait=True)


class _Post:
    """Who hears that something could not be said. A future would cost as much as to say it."""

    __slots__ = ("_failed",)

    def __init__(self, failed: Callable[[], None] | None) -> None:
        self._failed = failed

    def done(self) -> bool:
        return False

    def set_result(self, answers: list[Any]) -> None:
        if isinstance(answers[0], Exception):
            self.set_exception(answers[0])

    def set_exception(self, problem: Exception) -> None:
        log.warning("bus.post_failed", problem=type(problem).__name__)
        if self._failed is not None:
            asyncio.get_running_loop().call_soon(self._failed)


class Bus:
    """Hands each message of a subscribed channel to its handler, in order. Handlers are plain functions and quick."""

    def __init__(self, redis: Redis, on_reconnected: Callable[[], None] = lambda: None) -> None:
        self._redis = redis
        self._line: Line = redis.line  # type: ignore[attr-defined]  # a LineRedis, as everything here is made for
        self._pool: Any = redis.connection_pool
        self._patience_s = patience_s(self._pool)
        self._handlers: dict[bytes, Handler] = {}
        self._ear: _Ear | None = None
        self._connecting = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._deaf = False  # something may have been said that was not heard
        self.on_reconnected = on_reconnected

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Hear a channel from now on. Raises `Unavailable`; the channel is then heard as soon as the store is back."""
        name = channel.encode()
        self._handlers[name] = handler
        try:
            async with answering(), asyncio.timeout(self._patience_s):
                ear = await self._connected()
                await ear.subscribe([name])
        except Unavailable:
            self._deaf = True
            raise
        finally:
            self._wanted.set()

    async def publish(self, channel: str, data: bytes) -> int:
        """Say something on a channel; return how many workers heard it. Raises `Unavailable`."""
        async with answering():
            heard: int = await self._redis.publish(channel, data)
        return heard

    def post(self, channel: str, data: bytes, failed: Callable[[], None] | None = None) -> None:
        """Say something without waiting. Raises `Unavailable` where there is no connection now.

        `failed` is called when it turns out later that the store did not take it.
        """
        try:
            self._line.say(("PUBLISH", channel, data), _Post(failed))
        except ConnectionError as problem:
            raise Unavailable(type(problem).__name__) from problem

    async def run(self) -> None:
        """Keep hearing until cancelled; a lost connection is mended with a pause of 50 ms to 1 s."""
        await self._wanted.wait()
        pause = 0.05
        while True:
            try:
                ear = await self._connected()
                if self._deaf:
                    async with asyncio.timeout(self._patience_s):
                        await ear.subscribe(list(self._handlers))
                    self._deaf, pause = False, 0.05
                    self.on_reconnected()
                await self._listen(ear)
            except (RedisError, OSError, TimeoutError) as problem:
                if not self._deaf:
                    log.warning("bus.lost", problem=type(problem).__name__)
                self._deaf = True
                await self._let_go()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)

    async def _listen(self, ear: _Ear) -> None:
        """Until the connection is lost. Raises redis-py's ConnectionError, or TimeoutError where nothing comes back."""
        while True:
            await asyncio.wait({ear.lost}, timeout=LOOK_S)
            if ear.lost.done():
                raise ConnectionError("the connection to the store was lost")
            if time.monotonic() - ear.heard_s > LOOK_S + self._patience_s:
                raise TimeoutError
            ear.look()

    async def _connected(self) -> _Ear:
        """Return the connection, made where there is none. Raises redis-py's errors, OSError."""
        async with self._connecting:
            if self._ear is None or self._ear.lost.done():
                await self._let_go()
                self._ear = _Ear(await connected(self._pool, self._patience_s), self._hand)
            return self._ear

    def _hand(self, channel: bytes, data: bytes) -> None:
        handler = self._handlers.get(channel)
        if handler is None:
            return
        try:
            handler(data)
        except Exception:
            # One message that a handler cannot read must not make the worker deaf to all others.
            log.exception("bus.handler_failed")

    async def _let_go(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            await ear.release()

    async def close(self) -> None:
        """Stop hearing."""
        await self._let_go()
