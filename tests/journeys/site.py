"""Serves the web site of a clinic: a small reverse proxy that shows our server below a path of the site only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientWebSocketResponse, DummyCookieJar, WSMsgType, web

HOPS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-encoding", "content-length"}
)
HANDSHAKE = ("Cookie", "Origin", "User-Agent", "Accept-Language")


class Proxy:
    """A running web site at `url`. It passes requests for paths below `prefix` on to `server`, with their
    whole path.

    `other`: the address of another site of the clinic. `pages`: path -> HTML of the pages of this other site.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix, self.url, self.server, self.other = prefix, "", "", ""
        self.pages: dict[str, str] = {}
        # the requested paths that are not below the prefix
        self.elsewhere: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on to the server, or answer 404 if its path is not below the prefix."""
        if request.path in self.pages:
            text = f'<!doctype html><link rel="icon" href="data:,">{self.pages[request.path]}'
            return web.Response(text=text, content_type="text/html")
        if not f"{request.path}/".startswith(f"{self.prefix}/"):
            self.elsewhere.append(request.path)
            raise web.HTTPNotFound
        async with ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar()) as client:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._socket(request, client)
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOPS}
            async with client.request(
                request.method,
                self.server + request.raw_path,
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                kept = [
                    (n, v) for n, v in answer.headers.items() if n.lower() not in HOPS - {"content-encoding"}
                ]
                response = web.Response(status=answer.status, body=await answer.read())
                response.headers.clear()
                for name, value in kept:
                    response.headers.add(name, value)
                return response

    async def _socket(self, request: web.Request, client: ClientSession) -> web.StreamResponse:
        here = web.WebSocketResponse(protocols=["greenroom.v1.json"])
        await here.prepare(request)
        headers = {name: request.headers[name] for name in HANDSHAKE if name in request.headers}
        async with client.ws_connect(
            self.server + request.raw_path,
            headers={**headers, "Host": request.host},
            protocols=["greenroom.v1.json"],
            max_msg_size=1 << 24,
        ) as there:
            ways = [asyncio.create_task(_pipe(*way)) for way in ((here, there), (there, here))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await here.close()
        return here


Socket = web.WebSocketResponse | ClientWebSocketResponse


async def _pipe(source: Socket, sink: Socket) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)


@asynccontextmanager
async def below(prefix: str) -> AsyncIterator[Proxy]:
    """Yield a proxy for the paths below `prefix`. Its `server` must be set before the first request."""
    proxy, app = Proxy(prefix), web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{rest:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    proxy.other = f"http://localhost:{runner.addresses[0][1]}"
    try:
        yield proxy
    finally:
        await runner.cleanup()
