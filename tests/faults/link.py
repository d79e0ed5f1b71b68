"""A TCP link between a server and its store that a test can slow down, pause, cut and restore.

It runs in the test's own event loop. The store is at a Unix socket or a TCP address.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

Dial = Callable[[], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
CHUNK = 65_536


class Link:
    """A port on loopback whose connections are passed on to the store.

    `delay_s`: the time in s by which each piece of data is delayed, in both directions. `passed`: the number of
    connections that were passed on. `answered`: a function that gets each of the store's replies, and returns the bytes
    to pass on.
    """

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._refuses = False
        self._answers_left: int | None = None
        self.port = 0
        self.delay_s = 0.0
        self.answered: Callable[[bytes], bytes] = lambda data: data
        self.passed = 0

    @property
    def url(self) -> str:
        """Return the address of the link as a Redis URL."""
        return f"redis://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Begin to accept connections on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stall(self) -> None:
        """Pass no bytes from now on, in either direction. Connections stay open, and new connections are accepted."""
        self._flows.clear()

    def cut(self) -> None:
        """Reset all connections, and reset each new connection too, until `heal` is called."""
        self._refuses = True
        self.reset()

    def reset(self) -> None:
        """Reset all present connections; pass new connections on as before."""
        for writer in list(self._writers):
            writer.transport.abort()

    def lose_an_answer(self, after: int) -> None:
        """Pass on `after` more replies of the store, then reset all connections instead of passing on
        the next reply.
        """
        self._answers_left = after

    def heal(self) -> None:
        """Pass bytes and new connections on again, after `stall` or `cut`."""
        self._refuses = False
        self._flows.set()

    async def close(self) -> None:
        """Close the link: its port and all its connections."""
        self.heal()
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._flows.wait()
            if self._refuses:
                writer.transport.abort()
                return
            self.passed += 1
            far_reader, far_writer = await self._dial()
            self._writers.add(far_writer)
            try:
                answers = self._pass(far_reader, writer, answers=True)
                await asyncio.gather(self._pass(reader, far_writer), answers)
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if answers and self._answers_left is not None:
                    if not self._answers_left:
                        self._answers_left = None
                        self.reset()
                        return
                    self._answers_left -= 1
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flows.wait()
                writer.write(self.answered(data) if answers else data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def link_to(url: str) -> AsyncIterator[Link]:
    """Yield a link to the store at `url` (unix:///path or redis://host:port)."""
    where = urlsplit(url)

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if where.scheme == "unix":
            return await asyncio.open_unix_connection(where.path)
        return await asyncio.open_connection(where.hostname, where.port)

    link = Link(dial)
    await link.open()
    try:
        yield link
    finally:
        await link.close()
