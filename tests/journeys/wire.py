"""Counts every byte between browsers and the server, in both directions, in a proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

PIECE = 1 << 16


@dataclass
class Wire:
    """A running proxy at `url`. `down` and `up`: the number of bytes to and from the browsers (headers, bodies and
    frames), which a test may set to 0.
    """

    url: str = ""
    down: int = 0
    up: int = 0

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(PIECE):
                setattr(self, way, getattr(self, way) + len(piece))
                writer.write(piece)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[Wire]:
    """Yield a counting proxy for the server at `url`."""
    there, wire = urlsplit(url), Wire()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            server = await asyncio.open_connection(there.hostname, there.port)
            await asyncio.gather(
                wire._pass_on(reader, server[1], "up"), wire._pass_on(server[0], writer, "down")
            )

    listening = await asyncio.start_server(connected, "127.0.0.1")
    wire.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        listening.close()
