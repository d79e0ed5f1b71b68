"""A small server around a real relay: the test page, its signalling over one WebSocket, and a bad network
when one is wanted.

Knows rooms of two and the wish to start. Does not know visits or people: the product's own signalling is
tested elsewhere.
"""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from media import Party, PartyEvent, Relay, RelaySettings, Room
from web.peers.network.network import Network
from web.peers.network.offers import led_through
from web.peers.network.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGES = Path(__file__).parent / "pages"
STATIC = Path(__file__).parents[2] / "web" / "static"


class Seat:
    """One party's place: its WebSocket, its endpoint, whether it has pressed."""

    def __init__(self, ws: web.WebSocketResponse, party: Party) -> None:
        self.ws = ws
        self.party = party
        self.pressed = False
        self.events: list[PartyEvent] = []


class Stage:
    """See the module. `seats` are by (room, party)."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.seats: dict[tuple[str, str], Seat] = {}
        self.link: Proxy | None = None
        self.url = ""
        self._offers = itertools.count(1)

    def room(self, name: str) -> Room:
        """The relay's room of this name."""
        return self.relay.room(name)

    async def behind(self, network: Network) -> Proxy:
        """Let pages that enter from now on reach the relay through a network; return the way to it."""
        self.link = await Proxy.open(network, ("127.0.0.1", self.relay.ports[0]))
        return self.link

    async def offer(self, seat: Seat, sdp: str, fresh: bool) -> None:
        """Send an offer to a page."""
        if self.link is not None:
            sdp = led_through(sdp, "127.0.0.1", self.link.port)
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
            await stage.link.close()
        await runner.cleanup()
