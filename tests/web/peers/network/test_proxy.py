"""Tests the proxy on real sockets: it delays, loses and limits datagrams and streams by its network settings.

The memory that it uses has bounds.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.limits import WAIT_S
from web.peers.network import proxy as module
from web.peers.network.network import Network, Phase, Way
from web.peers.network.proxy import Proxy, proxied


class Udp(asyncio.DatagramProtocol):
    """A UDP socket that records each received datagram. If `echoes`, it also sends the datagram back."""

    def __init__(self, *, echoes: bool = False) -> None:
        self.got: list[bytes] = []
        self.sources: list[Any] = []
        self._echoes = echoes

    def connection_made(self, transport: Any) -> None:
        """Keep the socket's transport (called by asyncio)."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Record the datagram, and send it back if this is an echo server (called by asyncio)."""
        self.got.append(data)
        self.sources.append(addr)
        if self._echoes:
            self.transport.sendto(data, addr)

    @property
    def address(self) -> tuple[str, int]:
        """The (host, port) of the socket."""
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port


@asynccontextmanager
async def udp(network: Network, **how: Any) -> AsyncIterator[tuple[Proxy, Udp, Udp]]:
    """Yield (a proxy, an echo server behind it, a client). `how`: further arguments of the proxy."""
    loop = asyncio.get_running_loop()
    _, server = await loop.create_datagram_endpoint(lambda: Udp(echoes=True), local_addr=("127.0.0.1", 0))
    async with proxied(network, server.address, **how) as proxy:
        _, client = await loop.create_datagram_endpoint(Udp, remote_addr=("127.0.0.1", proxy.port))
        yield proxy, server, client
        client.transport.close()
    server.transport.close()


@asynccontextmanager
async def tcp(network: Network) -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield (a proxy in front of an echo server, reader, writer).

    The reader and the writer are those of a client's connection through the proxy.
    """

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with proxied(network, server.sockets[0].getsockname()) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, reader, writer
        writer.transport.abort()
    server.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - sockets have no event for it
            await asyncio.sleep(0.005)


async def answered(client: Udp, data: bytes) -> None:
    """Send a datagram repeatedly until its echo arrives."""
    async with asyncio.timeout(WAIT_S):
        while data not in client.got:
            client.transport.sendto(data)
            await asyncio.sleep(0.02)


async def test_datagrams_pass_in_both_directions_through_a_port_of_the_proxys_own() -> None:
    async with udp(Network()) as (proxy, server, client):
        await answered(client, b"one")
        assert server.sources[0] not in (client.address, ("127.0.0.1", proxy.port))
        assert proxy.lost == proxy.blocked == 0
        assert proxy.passed == 2


async def test_as_many_datagrams_are_lost_as_the_same_seed_says_each_time() -> None:
    found = []
    for _ in range(2):
        async with udp(Network(seed=5, up=Way(loss=0.3))) as (proxy, server, client):
            for number in range(100):
                client.transport.sendto(str(number).encode())
                await asyncio.sleep(0)
            await until(lambda proxy=proxy: proxy.directions["up"].counts.total() >= 100)  # type: ignore[misc]
            await until(lambda p=proxy, s=server: len(s.got) == p.directions["up"].counts["passed"])  # type: ignore[misc]
            found.append(server.got)
    assert found[0] == found[1]
    assert 50 < len(found[0]) < 90


async def test_a_delay_is_waited_and_the_order_kept() -> None:
    async with udp(Network(up=Way(delay_ms=60, jitter_ms=40), down=Way(delay_ms=60))) as (_, _, client):
        began_s = time.monotonic()
        sent = [str(number).encode() for number in range(30)]
        for data in sent:
            client.transport.sendto(data)
        await until(lambda: len(client.got) == 30)
        assert time.monotonic() - began_s >= 0.12
        assert client.got == sent


async def test_a_doubled_datagram_arrives_twice() -> None:
    async with udp(Network(up=Way(duplicate=1))) as (_, server, client):
        client.transport.sendto(b"x")
        await until(lambda: len(server.got) == 2)


async def test_blocked_udp_lets_nothing_through_until_its_time_is_over() -> None:
    async with udp(Network(udp=False)) as (proxy, server, client):
        client.transport.sendto(b"never")
        await until(lambda: proxy.blocked == 1)
        proxy.change(Network(phases=(Phase(0, 0.3, udp=False),)))
        await answered(client, b"later")
        assert b"never" not in server.got


async def test_after_rebinding_the_server_sees_another_address_and_the_old_one_leads_nowhere() -> None:
    async with udp(Network()) as (proxy, server, client):
        await answered(client, b"old")
        proxy.change(Network(phases=(Phase(0.05, rebind=True),)))
        await until(lambda: not proxy._flows)
        old = server.sources[-1]
        server.transport.sendto(b"to the old address", old)
        await answered(client, b"new")
        assert server.sources[-1] != old
        assert b"to the old address" not in client.got


async def test_each_client_has_an_address_of_its_own_and_the_oldest_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_FLOWS", 2)
    async with udp(Network()) as (proxy, server, client):
        await answered(client, b"first")
        loop, others = asyncio.get_running_loop(), []
        for number in range(3):
            _, other = await loop.create_datagram_endpoint(Udp, remote_addr=("127.0.0.1", proxy.port))
            await answered(other, str(number).encode())
            others.append(other)
        assert len(proxy._flows) == 2
        assert len(set(server.sources)) == 4
        for other in others:
            other.transport.close()


async def test_datagrams_on_their_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    async with udp(Network(up=Way(delay_ms=10_000))) as (proxy, server, client):
        for _ in range(25):
            client.transport.sendto(b"x")
        await until(lambda: proxy.crowded == 15)
        assert len(proxy._waiting) == 10
        assert server.got == []


async def test_a_proxy_may_lead_to_another_server() -> None:
    async with udp(Network()) as (proxy, server, client):
        await answered(client, b"one")
        loop = asyncio.get_running_loop()
        _, other = await loop.create_datagram_endpoint(lambda: Udp(echoes=True), local_addr=("127.0.0.1", 0))
        proxy.lead_to(other.address)
        await answered(client, b"two")
        assert other.got[-1] == b"two"
        assert b"two" not in server.got
        other.transport.close()


async def test_a_stream_arrives_whole_and_in_order_whatever_is_lost_of_it() -> None:
    network = Network(up=Way(loss=0.05, delay_ms=5, reorder=0.5, duplicate=0.5), down=Way(delay_ms=5))
    async with tcp(network) as (proxy, reader, writer), asyncio.timeout(WAIT_S):
        sent = bytes(range(256)) * 100
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert proxy.passed > 0
        writer.write_eof()
        assert await reader.read() == b""


async def test_blocked_tcp_holds_a_stream_and_a_new_connection_until_it_is_free_again() -> None:
    async with tcp(Network()) as (proxy, reader, writer), asyncio.timeout(WAIT_S):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.change(Network(tcp=False))
        writer.write(b"b")
        other_reader, other = await asyncio.open_connection("127.0.0.1", proxy.port)
        other.write(b"c")
        reading = [asyncio.ensure_future(one.readexactly(1)) for one in (reader, other_reader)]
        done, _ = await asyncio.wait(reading, timeout=0.2)
        assert not done
        proxy.change(Network())
        assert await asyncio.gather(*reading) == [b"b", b"c"]
        other.transport.abort()


async def test_rebinding_resets_connections() -> None:
    async with tcp(Network()) as (proxy, reader, writer), asyncio.timeout(WAIT_S):
        writer.write(b"a")
        await reader.readexactly(1)
        proxy.rebind()
        assert await reader.read() == b""


async def test_a_connection_ends_with_the_server() -> None:
    async with proxied(Network(), ("127.0.0.1", 1)) as proxy, asyncio.timeout(WAIT_S):
        reader, _ = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""


async def test_closing_a_proxy_ends_its_connections_without_an_error_in_the_log() -> None:
    gc.collect()  # tasks that earlier tests have left may report their errors now
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, problem: problems.append(problem))
    try:
        async with tcp(Network()) as (proxy, reader, writer), asyncio.timeout(WAIT_S):
            writer.write(b"a")
            await reader.readexactly(1)
            await proxy.close()
            assert await reader.read() == b""
    finally:
        loop.set_exception_handler(before)
    assert problems == []


async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FLOWS", 1)
    async with tcp(Network()) as (proxy, reader, writer), asyncio.timeout(WAIT_S):
        writer.write(b"a")
        await reader.readexactly(1)
        _, other = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        other.transport.abort()
