"""A small server around a real relay: the test page, its signalling over one WebSocket, and a bad network
when one is wanted.

Knows rooms of two and the wish to start. Does not know visits or people: the product's own signalling is
tested elsewhere.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from media import Party, PartyEvent, Relay, RelaySettings, Room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGES = Path(__file__).parent / "pages"
STATIC = Path(__file__).parents[2] / "web" / "static"
_CANDIDATE = re.compile(r"(a=candidate:\S+ 1 udp \d+ \S+ )\d+ ")


class Seat:
    """One party's place: its WebSocket, its endpoint, whether it has pressed."""

    def __init__(self, ws: web.WebSocketResponse, party: Party) -> None:
        self.ws = ws
        self.party = party
        self.pressed = False
        self.events: list[PartyEvent] = []


class LossyLink:
    """A UDP forwarder in front of a relay that loses a share of what passes, in each direction alike."""

    def __init__(self, relay_port: int, seed: int = 1) -> None:
        self.loss = 0.0
        self.lost = self.passed = 0
        self._relay = ("127.0.0.1", relay_port)
        self._random = random.Random(seed)
        self._front = self._socket()
        self._backs: dict[Any, socket.socket] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._front.fileno(), self._from_browser)

    @property
    def port(self) -> int:
        """Where browsers reach it."""
        return int(self._front.getsockname()[1])

    def close(self) -> None:
        """Stop forwarding."""
        for sock in (self._front, *self._backs.values()):
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def rebind(self) -> None:
        """The network changes: from now on every browser comes to the relay from another port (a NAT that
        forgot)."""
        for sock in self._backs.values():
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._backs.clear()

    @staticmethod
    def _socket() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        return sock

    def _passes(self, datagram: bytes) -> bool:
        if 127 < datagram[0] < 192 and self._random.random() < self.loss:
            self.lost += 1
            return False
        self.passed += 1
        return True

    def _from_browser(self) -> None:
        while True:
            try:
                datagram, address = self._front.recvfrom(2048)
            except BlockingIOError:
                return
            back = self._backs.get(address)
            if back is None:
                back = self._backs[address] = self._socket()
                self._loop.add_reader(back.fileno(), self._from_relay, back, address)
            if self._passes(datagram):
                back.sendto(datagram, self._relay)

    def _from_relay(self, back: socket.socket, address: Any) -> None:
        while True:
            try:
                datagram = back.recv(2048)
            except OSError:
                return
            if self._passes(datagram):
                self._front.sendto(datagram, address)


class Stage:
    """See the module. `seats` are by (room, party)."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.seats: dict[tuple[str, str], Seat] = {}
        self.link: LossyLink | None = None
        self.silent: socket.socket | None = (
            None  # receives UDP and answers nothing, like a network that blocks it
        )
        self.url = ""
        self._offers = itertools.count(1)

    def room(self, name: str) -> Room:
        """The relay's room of this name."""
        return self.relay.room(name)

    def block_udp(self) -> None:
        """Let no datagram of a page that enters from now on arrive."""
        self.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.silent.bind(("127.0.0.1", 0))

    async def offer(self, seat: Seat, sdp: str, fresh: bool) -> None:
        """Send an offer to a page."""
        if self.link is not None:
            sdp = _CANDIDATE.sub(rf"\g<1>{self.link.port} ", sdp)
        if self.silent is not None:
            sdp = _CANDIDATE.sub(rf"\g<1>{self.silent.getsockname()[1]} ", sdp)
        await seat.ws.send_json({"id": next(self._offers), "sdp": sdp, "fresh": fresh})

    async def sit(self, key: tuple[str, str], ws: web.WebSocketResponse) -> Seat:
        """A page has come (or come back): give it an endpoint and an offer."""
        events: list[PartyEvent] = []
        seat = Seat(ws, self.room(key[0]).join(key[1], events.append))
        seat.events = events
        before = self.seats.get(key)
        seat.pressed = before is not None and before.pressed
        self.seats[key] = seat
        await self.offer(seat, seat.party.offer(), fresh=True)
        return seat

    async def move(self, room: str, relay: Relay) -> None:
        """Another worker takes the room over: fresh offers from its relay, the gate as it was."""
        was_open, self.relay = self.room(room).gate, relay
        for key, seat in list(self.seats.items()):
            if key[0] == room:
                await self.sit(key, seat.ws)
        self.room(room).set_gate(was_open)

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        key = (request.query["room"], request.query["party"])
        await self.sit(key, ws)
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            said, seat = json.loads(message.data), self.seats[key]
            if said["t"] == "answer":
                seat.party.accept(said["sdp"])
            elif said["t"] == "press":
                seat.pressed = True
                both = [other for (room, _), other in self.seats.items() if room == key[0]]
                if len(both) == 2 and all(other.pressed for other in both):
                    self.room(key[0]).set_gate(True)
        return ws


@asynccontextmanager
async def staged(settings: RelaySettings | None = None) -> AsyncIterator[Stage]:
    """A relay, its test server on a free port of 127.0.0.1, and their end."""
    relay = await Relay.open(settings or RelaySettings())
    stage = Stage(relay)

    async def file(request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGES / request.match_info["name"])

    async def media_js(request: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / request.match_info["module"])

    app = web.Application()
    app.router.add_get("/ws", stage._ws)
    app.router.add_get("/{module:media(?:/[a-z]+)?\\.js}", media_js)
    app.router.add_get("/{name:call\\.(?:html|js)}", file)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stage.url = f"http://{host}:{port}/call.html"
    try:
        yield stage
    finally:
        await stage.relay.close()
        await relay.close()
        if stage.link is not None:
            stage.link.close()
        if stage.silent is not None:
            stage.silent.close()
        await runner.cleanup()
