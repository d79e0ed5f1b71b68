"""Opens a port for UDP and TCP that leads to a server through a simulated bad network.

`network.py` decides what happens to packets; this module does the I/O. Tests, benchmarks and synthetic people use it.
The contents of packets are not changed. So for a client that uses this port and not the server's port, only the
network is different.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any, Final, get_args

from web.peers.network.network import RESEND_S, Direction, Network, Side

MOST_WAITING: Final = 4096
"""The greatest number of datagrams that wait for their time to arrive; further datagrams are dropped."""
MOST_FLOWS: Final = 256
"""The greatest number of client addresses, and of TCP connections. A further address or connection replaces the oldest.
"""
SEGMENT: Final = 1448
SEGMENTS: Final = 256
"""The greatest number of segments that wait in each direction of a TCP connection; then the sender has to wait."""
READ_AT_ONCE: Final = 64
DATAGRAM: Final = 65_536
LONGEST_PAUSE_S: Final = 120.0
"""The longest time in s between two attempts of TCP to send a segment (the kernel's TCP_RTO_MAX)."""
PORTS_TRIED: Final = 20


class Proxy:
    """A local port that passes packets on to `server` (host, port). Make it with `Proxy.open`, end it with `close`.

    `up` is the direction in which the client sends, `down` the other direction. `lost` and `passed` count UDP packets
    and TCP segments. `blocked`: the number of datagrams that were dropped because the network blocks UDP; `crowded`:
    the number of datagrams that were dropped because MOST_WAITING datagrams were waiting already.
    """

    def __init__(self, network: Network, server: tuple[str, int], front: socket.socket, number: int) -> None:
        self.blocked = self.crowded = 0
        self._server = server
        self._number = number
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._flows: dict[Any, socket.socket] = {}
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._listening: asyncio.Server | None = None
        self._waiting: list[tuple[float, int, Callable[[], Any]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._rebinds: list[asyncio.TimerHandle] = []
        self.change(network)

    @classmethod
    async def open(
        cls, network: Network, server: tuple[str, int], *, host: str = "127.0.0.1", number: int = 0
    ) -> Proxy:
        """Listen on a free port of `host` and return the proxy.

        `server`: the host and port to which the proxy sends packets; `number`: proxies with the same seed and different
        numbers draw different random numbers.
        """
        udp, tcp = _same_port(host)
        proxy = cls(network, server, udp, number)
        proxy._loop.add_reader(udp.fileno(), proxy._from_client)
        proxy._listening = await asyncio.start_server(proxy._accept, sock=tcp)
        return proxy

    @property
    def port(self) -> int:
        """The port, of UDP and TCP, that clients use instead of the server's."""
        return int(self._front.getsockname()[1])

    @property
    def lost(self) -> int:
        """The number of packets and segments, in both directions, that were lost, or dropped by a full queue."""
        return self._count("lost") + self._count("queue_full")

    @property
    def passed(self) -> int:
        """The number of packets and segments that passed, in both directions."""
        return self._count("passed")

    def lead_to(self, server: tuple[str, int]) -> None:
        """Send packets to this server from now on. If it is another server than before, end the old connections."""
        if server != self._server:
            self._server = server
            self.rebind()

    def change(self, network: Network) -> None:
        """Change to another network; the times of its phases count from now.

        Packets on their way arrive as planned.
        """
        self.network, self._began_s = network, time.monotonic()
        self.directions = {side: self._direction(side) for side in get_args(Side)}
        for timer in self._rebinds:
            timer.cancel()
        self._rebinds = [self._loop.call_later(at_s, self.rebind) for at_s in network.rebinds_s]

    def rebind(self) -> None:
        """Send each client's packets from a new address, as a NAT that has lost its table. Reset TCP connections."""
        for back in self._flows.values():
            self._end(back)
        self._flows.clear()
        for ends in self._connections.values():
            _abort(ends)

    async def close(self) -> None:
        """Close all sockets; packets that still wait are lost."""
        for timer in (self._timer, *self._rebinds):
            if timer is not None:
                timer.cancel()
        self._waiting.clear()
        if self._listening is not None:
            self._listening.close()
        self.rebind()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._end(self._front)

    def _direction(self, side: Side) -> Direction:
        luck = Random(f"{self.network.seed}/{self._number}/{side}")  # noqa: S311 - a seed repeats all losses
        return Direction(luck.random)

    def _count(self, fate: str) -> int:
        return sum(direction.counts[fate] for direction in self.directions.values())

    def _now(self) -> Network:
        return self.network.at(time.monotonic() - self._began_s)

    # --- methods that pass on UDP datagrams

    def _from_client(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                datagram, address = self._front.recvfrom(DATAGRAM)
            except OSError:
                return
            back = self._flows.get(address) or self._flow(address)
            self._pass("up", len(datagram), partial(back.send, datagram))

    def _flow(self, address: Any) -> socket.socket:
        """Return a new socket that sends the packets of the client at `address` to the server."""
        if len(self._flows) >= MOST_FLOWS:
            self._end(self._flows.pop(next(iter(self._flows))))
        family = socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET
        back = self._flows[address] = socket.socket(family, socket.SOCK_DGRAM)
        back.setblocking(False)
        back.connect(self._server)
        self._loop.add_reader(back.fileno(), self._from_server, back, address)
        return back

    def _from_server(self, back: socket.socket, address: Any) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                datagram = back.recv(DATAGRAM)
            except OSError:
                return
            self._pass("down", len(datagram), partial(self._front.sendto, datagram, address))

    def _pass(self, side: Side, size: int, send: Callable[[], Any]) -> None:
        now, now_s = self._now(), time.monotonic()
        if not now.udp:
            self.blocked += 1
            return
        for arrives_s in self.directions[side].packet(now.way(side), size, now_s):
            if len(self._waiting) >= MOST_WAITING:
                self.crowded += 1
            else:
                heapq.heappush(self._waiting, (arrives_s, next(self._order), send))
        self._deliver()

    def _deliver(self) -> None:
        """Send the packets that are due, and schedule the sending of the next packets."""
        waiting, now_s = self._waiting, time.monotonic()
        while waiting and waiting[0][0] <= now_s:
            # An error is ignored. It means that the server's port or the client's socket is closed.
            with contextlib.suppress(OSError):
                heapq.heappop(waiting)[2]()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(waiting[0][0] - now_s, self._deliver) if waiting else None

    def _end(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            sock.close()

    # --- methods that pass on TCP connections

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MOST_FLOWS:
            _abort(next(iter(self._connections.values())))
        ends = [writer]
        # The connection is served in a task of its own. If asyncio's streams started the task, Python 3.11 would log
        # an error when it is cancelled.
        task = self._loop.create_task(self._serve(reader, writer, ends))
        self._connections[task] = ends
        task.add_done_callback(self._connections.pop)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: list[asyncio.StreamWriter]
    ) -> None:
        """Connect to the server, and pass on the bytes in both directions until both have ended.

        `reader` and `writer`: the client's connection; the server's writer is added to `ends`, so that `rebind` can
        abort both connections.
        """
        try:
            await self._until_tcp()
            far_reader, far = await asyncio.open_connection(*self._server)
            ends.append(far)
            async with asyncio.TaskGroup() as group:
                ways: list[tuple[Side, asyncio.StreamReader, asyncio.StreamWriter]]
                ways = [("up", reader, far), ("down", far_reader, writer)]
                for side, source, sink in ways:
                    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(SEGMENTS)
                    group.create_task(self._take(side, source, waiting))
                    group.create_task(self._give(waiting, sink))
        except* OSError:
            # The server or the client has closed its connection, so both connections are closed.
            pass
        finally:
            _abort(ends)

    async def _take(
        self, side: Side, reader: asyncio.StreamReader, waiting: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        """Read from `reader` until the sender has ended; put the bytes into `waiting`, with their times of delivery.

        Raises OSError if the connection is lost.
        """
        data = b"-"
        while data:
            data = await reader.read(SEGMENT)
            way = self._now().way(side)
            await waiting.put((self.directions[side].segment(way, len(data), time.monotonic()), data))

    async def _give(self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        """Write the bytes in `waiting` to `writer` when they are due. Raises OSError if the receiver has closed."""
        while True:
            arrives_s, data = await waiting.get()
            if (early_s := arrives_s - time.monotonic()) > 0:
                await asyncio.sleep(early_s)
            await self._until_tcp()
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    async def _until_tcp(self) -> None:
        """Wait until the network does not block TCP.

        Each pause between two checks is twice as long as the previous pause, up to LONGEST_PAUSE_S, like the pauses
        before TCP sends a segment again.
        """
        pause_s = RESEND_S
        while not self._now().tcp:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _abort(ends: list[asyncio.StreamWriter]) -> None:
    for writer in ends:
        writer.transport.abort()


def _same_port(host: str) -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket that are bound to the same free port. Raises OSError if no port is found."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for attempt in itertools.count(1):
        udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
        udp.setblocking(False)
        try:
            udp.bind((host, 0))
            tcp.bind((host, udp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            if attempt == PORTS_TRIED:
                raise
        else:
            return udp, tcp
    raise AssertionError


@asynccontextmanager
async def proxied(network: Network, server: tuple[str, int], **how: Any) -> AsyncIterator[Proxy]:
    """Yield an open proxy, and close it at the end of the context.

    `server`: the (host, port) to which the proxy sends packets; `how`: further arguments of `Proxy.open`.
    """
    proxy = await Proxy.open(network, server, **how)
    try:
        yield proxy
    finally:
        await proxy.close()
