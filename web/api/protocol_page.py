"""Serves the description of the WebSocket protocol, for programs (AsyncAPI) and for people (PROTOCOL.md).

The content is defined in signalling; this module adds the address of this server.
"""

from functools import cache
from importlib.resources import files

import msgspec
from aiohttp import web

from signalling.protocol import asyncapi
from web.keys import SETTINGS
from web.organisations.by_path import organisation_of
from web.requests.security import origin_of


@cache
def protocol_md() -> str:
    """Return the text of the file PROTOCOL.md."""
    return files("signalling").joinpath("protocol", "PROTOCOL.md").read_text("utf-8")


def described(origin: str, organisation: str = "") -> bytes:
    """Return the AsyncAPI document as JSON, for the server at the address `origin`, such as
    "https://visits.example.org".

    `origin` may have a path after the host, which is the prefix of all addresses of the server. `organisation`: the id
    of the organisation to describe; "" for all.
    """
    scheme, _, address = origin.partition("://")
    host, slash, path = address.partition("/")
    found = asyncapi.document(
        protocol_md(),
        host=host,
        scheme="wss" if scheme == "https" else "ws",
        organisation=organisation,
        prefix=slash + path,
    )
    return msgspec.json.format(msgspec.json.encode(found), indent=1)


async def for_programs(request: web.Request) -> web.Response:
    """Answer GET …/asyncapi.json with the AsyncAPI document; the request needs no key."""
    organisation = await organisation_of(request)
    origin = origin_of(request, request.app[SETTINGS].server.public_url.rstrip("/"))
    return web.Response(body=described(origin, organisation.id), content_type="application/json")


async def for_people(request: web.Request) -> web.Response:
    """Answer GET …/protocol.md with the protocol's text; the request needs no key."""
    await organisation_of(request)
    return web.Response(text=protocol_md(), content_type="text/markdown", charset="utf-8")
