"""Tests the port of the pages, which accepts HTTP, TLS, and ICE over TCP.

A connection of ICE is passed to the worker that serves its call.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from media import Relay, RelaySettings
from media.protocols import ice
from signalling.repeated import Repeated
from tests.media.duo import Duo, Speaker, until
from tests.media.test_hostile import crosses_nothing, everything
from web.server import pages_port, tls
from web.server.pages_port import Site
from web.server.passed_streams import PassedStreams

HTTP = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def framed(packet: bytes) -> bytes:
    """Return a packet with its length in front of it (RFC 4571)."""
    return struct.pack("!H", len(packet)) + packet


def request_for(index: int) -> bytes:
    """Return a STUN request in its frame, for a call that the worker with this index serves."""
    return framed(ice.request(ice.ufrag(index, "aa" * 6), "b" * 8, "c" * 24, b"\0" * 12))


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait for data of the server; return True if the server closes the connection without an answer.

    The connection ends with a reset if the server has not read all bytes that it received.
    """
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


class Port:
    """A server's port for pages, in the event loop of the test.

    `passed`: (index of a worker, socket) of each connection that was passed on to this worker.
    """

    def __init__(self, site: Site, port: int) -> None:
        self.site, self.port = site, port
        self.passed: list[tuple[int, socket.socket]] = []

    def pass_on(self, index: int, sock: socket.socket) -> bool:
        """Record a connection that is passed on to the worker with this index.

        Return whether this worker exists; only the worker with the index 7 does.
        """
        if index == 7:
            self.passed.append((index, sock.dup()))
        return index == 7

    async def connect(
        self, tls_context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the port; return the reader and writer of the connection."""
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=tls_context)


@asynccontextmanager
async def a_port(context: ssl.SSLContext | None = None, first_bytes_s: float = 60.0) -> AsyncIterator[Port]:
    """Yield a port whose pages all answer "a page". `context`: the SSL context for TLS. `first_bytes_s`: the limit in s
    for a client's first bytes.
    """

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="a page")

    app = web.Application()
    app.add_routes([web.get("/", page)])
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        site = Site(
            runner, listening, lambda: context, lambda index, sock: port.pass_on(index, sock), first_bytes_s
        )
        port = Port(site, listening.getsockname()[1])
        await site.start()
        try:
            yield port
        finally:
            await runner.cleanup()
            for _, sock in port.passed:
                sock.close()


async def test_pages_are_served_as_before_also_when_their_first_bytes_come_one_by_one() -> None:
    async with a_port() as port:
        for pieces in ([HTTP], [HTTP[:1], HTTP[1:5], HTTP[5:]]):
            reader, writer = await port.connect()
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.01)
            assert b"a page" in await reader.read()
            writer.close()
        assert port.passed == []
        assert port.site.refused == 0


async def test_pages_by_tls_are_served_and_a_failed_handshake_disturbs_nobody(tmp_path: Path) -> None:
    certificate, key = tls.self_signed(tmp_path, datetime.datetime.now(datetime.UTC))
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with a_port(tls.server_context(str(certificate), str(key))) as port:
        reader, writer = await port.connect()
        writer.write(HTTP)  # plain HTTP, to a port with TLS
        assert await reader.read() == b""
        writer.close()
        reader, writer = await port.connect(trusting)
        writer.write(HTTP)
        assert b"a page" in await reader.read()
        writer.close()
        reader, writer = await port.connect()
        # a STUN request without TLS: browsers send ICE over TCP unencrypted, also to a port with TLS
        writer.write(request_for(7))
        await until(lambda: port.site.passed == 1)
        writer.close()


async def test_a_connection_with_ice_is_passed_on_untouched_to_the_worker_of_its_call() -> None:
    whole = request_for(7) + b"more"
    async with a_port() as port:
        for pieces in ([whole], [whole[:1], whole[1:2], whole[2:30], whole[30:]], [whole[:40], whole[40:]]):
            _, writer = await port.connect()
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.01)
            await until(lambda: bool(port.passed))
            index, sock = port.passed.pop()
            with closing(sock):
                assert index == 7
                reader, passed = await asyncio.open_connection(sock=sock)
                assert await reader.readexactly(len(whole)) == whole
                passed.close()
            writer.close()
        assert port.site.passed == 3


@pytest.mark.parametrize(
    "sent",
    [
        framed(b"\0\1" + bytes(40)),
        framed(bytes(60)),
        b"\0\0" + HTTP,
        b"\2\xff" + bytes(800),
        request_for(6),
        framed(ice.request("zz" * 6, "b" * 8, "c" * 24, b"\0" * 12)),
        framed(ice.request("é" * 3, "b" * 8, "c" * 24, b"\0" * 12)),
    ],
    ids=["no cookie", "zeros", "empty frame", "too long", "no such worker", "no index", "not ascii"],
)
async def test_a_frame_that_belongs_to_no_call_is_refused_and_counted(sent: bytes) -> None:
    async with a_port() as port:
        reader, writer = await port.connect()
        writer.write(sent)
        await until(lambda: port.site.refused == 1)
        assert await closed(reader)
        assert port.site.passed == 0
        writer.close()


async def test_what_is_passed_on_and_refused_is_logged_once_a_minute_with_its_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repeated, now_s = Repeated(), 0.0

    def due(event: str) -> int:
        return repeated.count(event, now_s)

    monkeypatch.setattr(pages_port, "due", due)
    async with a_port() as port:

        def settled(count: int) -> bool:
            return port.site.passed + port.site.refused == count

        with capture_logs() as logged:
            for count, index in enumerate((7, 6, 7, 6, 7, 6), 1):
                now_s = 60.0 if count > 4 else 0.0
                _, writer = await port.connect()
                writer.write(request_for(index))
                await until(partial(settled, count))
                writer.close()
    assert [(entry["event"], entry["count"]) for entry in logged] == [
        ("server.media_passed", 1),
        ("server.connection_refused", 1),
        ("server.media_passed", 2),
        ("server.connection_refused", 2),
    ]


async def test_half_a_frame_costs_nothing_and_ends_with_its_sender_or_after_a_while() -> None:
    async with a_port(first_bytes_s=0.2) as port:
        looks = 0
        look = port.site._look

        def counted(sock: socket.socket) -> None:
            nonlocal looks
            looks += 1
            look(sock)

        port.site._look = counted  # type: ignore[method-assign]
        for leaves in (True, False):
            reader, writer = await port.connect()
            writer.write(request_for(7)[:20])
            if leaves:
                writer.write_eof()
            refused = port.site.refused
            await until(lambda before=refused: port.site.refused > before)  # type: ignore[misc]
            assert await closed(reader)
            writer.close()
        assert looks <= 6, "the loop was kept busy by half a frame"
        assert port.passed == []


async def test_many_silent_connections_are_bounded_and_pages_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_port, "WAITING_MAX", 3)
    async with a_port(first_bytes_s=0.3) as port:
        silent = [await port.connect() for _ in range(5)]
        await until(lambda: port.site.refused == 5)
        reader, writer = await port.connect()
        writer.write(HTTP)
        assert b"a page" in await reader.read()
        for _, other in [*silent, (reader, writer)]:
            other.close()


async def test_a_party_whose_connection_arrives_at_another_worker_reaches_its_own_relay() -> None:
    """Let one worker accept a browser's connection at the pages' port, while another worker serves the call.

    The first worker passes the connection's descriptor to the second worker. The relay forwards no media before
    the gate of the call is open.
    """
    streams = PassedStreams(workers=2)
    async with a_port() as port:
        port.pass_on = streams.send  # type: ignore[method-assign]
        relay = await Relay.open(RelaySettings(pages_port=port.port, index=2))
        end = streams.receive(2, relay.streams.take)
        peers = Duo(relay)
        other = await peers.join("b")
        speaker = Speaker(transport="tcp")
        peers.speakers.append(speaker)
        party = peers.room.join("a", speaker.events.append)
        lines = party.offer().split("\r\n")
        only = [
            line
            for line in lines
            if not line.startswith("a=candidate") or f" {port.port} typ host tcptype passive" in line
        ]
        assert len(only) < len(lines)
        party.accept(speaker.answer("\r\n".join(only)))
        await speaker.connect()
        await until(lambda: party.connected)
        assert port.site.passed == 1
        everything(speaker)
        await peers.handled(60)
        await crosses_nothing(peers, other)
        peers.room.set_gate(True)
        speaker.audio(500)
        await until(lambda: other.received == 1)
        end()
        for each in peers.speakers:
            each.close()
        await relay.close()
