"""Runs a worker's app in aiohttp so that responses made without a handler get the same headers as all others.

aiohttp itself answers a request that cannot be parsed or that fails before its route is known, and calls no app for its
headers. Here every request belongs to the app from its first byte.
"""

from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError


class Runner(web.AppRunner):
    """`web.AppRunner` whose app prepares every response, also those to malformed requests."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        unresolved = MatchInfoError(web.HTTPBadRequest())
        unresolved.add_app(self.app)
        unresolved.freeze()
        make = server.request_factory

        def request(*parts: object) -> web.BaseRequest:
            made = make(*parts)  # type: ignore[arg-type]
            assert isinstance(made, web.Request)
            made._match_info = unresolved  # until the router sets the real one
            return made

        server.request_factory = request
        return server
