"""How a worker runs its app with aiohttp: answers that no handler made look like all others.

A request that cannot be parsed, or fails before its route is known, is answered by aiohttp itself, which then asks no
app for headers. Here every request belongs to the app from its first byte on.
"""

from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError


class Runner(web.AppRunner):
    """`web.AppRunner`, whose app prepares every answer, those to malformed requests included."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        unresolved = MatchInfoError(web.HTTPBadRequest())
        unresolved.add_app(self.app)
        unresolved.freeze()
        make = server.request_factory

        def request(*parts: object) -> web.BaseRequest:
            made = make(*parts)  # type: ignore[arg-type]
            assert isinstance(made, web.Request)
            made._match_info = unresolved  # until the router has found another
            return made

        server.request_factory = request
        return server
