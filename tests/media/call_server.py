"""Runs a small server around a real relay: the test page, its messages over one WebSocket, and an optional bad network.

It has rooms for two people, and records who has pressed Start. The product's own signalling has other tests.
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


class Caller:
    """One party of a call: its WebSocket, its connection to the relay, and whether its person has pressed Start."""

    def __init__(self, ws: web.WebSocketResponse, party: Party) -> None:
        self.ws = ws
        self.party = party
        self.pressed = False
        self.events: list[PartyEvent] = []


class CallServer:
    """A relay with the test page and its messages. `callers`: (room, name of the party) -> the caller."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.callers: dict[tuple[str, str], Caller] = {}
        self.link: Proxy | None = None
        self.url = ""
        self._offers = itertools.count(1)

    def room(self, name: str) -> Room:
        """Return the room with this name on the present relay of this server."""
        return self.relay.room(name)

    async def behind(self, network: Network) -> Proxy:
        """Put `network` between the relay and all pages that join from now on.

        Return the proxy that plays this network.
        """
        self.link = await Proxy.open(network, ("127.0.0.1", self.relay.ports[0]))
        return self.link

    async def offer(self, caller: Caller, sdp: str, fresh: bool) -> None:
        """Send an SDP offer to a page. `fresh`: True if it begins a new connection."""
        if self.link is not None:
            sdp = led_through(sdp, "127.0.0.1", self.link.port)
        await caller.ws.send_json({"id": next(self._offers), "sdp": sdp, "fresh": fresh})

    async def join(self, key: tuple[str, str], ws: web.WebSocketResponse) -> Caller:
        """Add a page that was opened or reloaded: give it a new party in the relay and an SDP offer; return its caller.

        `key`: (room, name of the party).
        """
        events: list[PartyEvent] = []
        caller = Caller(ws, self.room(key[0]).join(key[1], events.append))
        caller.events = events
        before = self.callers.get(key)
        caller.pressed = before is not None and before.pressed
        self.callers[key] = caller
        await self.offer(caller, caller.party.offer(), fresh=True)
        return caller

    async def move(self, room: str, relay: Relay) -> None:
        """Move a room to another relay, as if to another worker: send each of its pages an offer of a new
        connection.

        The gate (whether media may pass) stays as it was.
        """
        was_open, self.relay = self.room(room).gate, relay
        for key, caller in list(self.callers.items()):
            if key[0] == room:
                await self.join(key, caller.ws)
        self.room(room).set_gate(was_open)

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        key = (request.query["room"], request.query["party"])
        await self.join(key, ws)
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            said, caller = json.loads(message.data), self.callers[key]
            if said["t"] == "answer":
                caller.party.accept(said["sdp"])
            elif said["t"] == "press":
                caller.pressed = True
                both = [other for (room, _), other in self.callers.items() if room == key[0]]
                if len(both) == 2 and all(other.pressed for other in both):
                    self.room(key[0]).set_gate(True)
        return ws


@asynccontextmanager
async def call_server(settings: RelaySettings | None = None) -> AsyncIterator[CallServer]:
    """Yield a relay with its test server on a free port of 127.0.0.1; close both at the end."""
    relay = await Relay.open(settings or RelaySettings())
    server = CallServer(relay)

    async def file(request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGES / request.match_info["name"])

    async def media_js(request: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / request.match_info["module"])

    app = web.Application()
    app.router.add_get("/ws", server._ws)
    app.router.add_get("/{module:media(?:/[a-z]+)?\\.js}", media_js)
    app.router.add_get("/{name:call\\.(?:html|js)}", file)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/call.html"
    try:
        yield server
    finally:
        await server.relay.close()
        await relay.close()
        if server.link is not None:
            await server.link.close()
        await runner.cleanup()
