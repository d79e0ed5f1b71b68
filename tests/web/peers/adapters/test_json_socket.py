"""Tests the WebSocket of the load tester's adapters for other servers: it keeps messages until an adapter waits for
them.

A lost connection is an error.
"""

from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.limits import WAIT_S
from web.peers.adapters.adapter import Server
from web.peers.adapters.json_socket import KEPT, JsonSocket
from web.peers.errors import EntryError, RefusedError


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for frame in socket:
        if "bye" in frame.data:
            break
        await socket.send_str(frame.data)
        await socket.send_str("[" * 100_000)
        await socket.send_str("[1]")
    return socket


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app = web.Application()
    app.router.add_get("/calls", _echo)
    async with TestServer(app) as running, aiohttp.ClientSession() as http:
        yield Server(str(running.make_url("/")).replace("http", "ws", 1), http, WAIT_S)


def kind(name: str) -> Callable[[dict[str, object]], bool]:
    return lambda message: message.get("kind") == name


async def test_messages_are_kept_until_somebody_waits_for_them(server: Server) -> None:
    socket = await JsonSocket.open(server, path="/calls")
    for name in ("first", "second", "second"):
        await socket.send(kind=name)
    assert await socket.wait(kind("second")) == {"kind": "second"}
    assert await socket.wait(kind("first")) == {"kind": "first"}
    assert await socket.wait(kind("second")) == {"kind": "second"}
    await socket.close()


async def test_only_the_newest_messages_are_kept_and_a_new_call_drops_them(server: Server) -> None:
    socket = await JsonSocket.open(server, path="/calls")
    for number in range(KEPT + 1):
        await socket.send(kind=f"{number}")
    await socket.send(kind="last")
    await socket.wait(kind("last"))
    await socket.wait(kind("2"))
    socket.drop()
    await socket.send(kind="bye")
    with pytest.raises(RefusedError, match="the WebSocket is closed with 1000"):
        await socket.wait(kind("3"))
    with pytest.raises(RefusedError) as lost:
        await socket.send(kind="more")
    assert lost.value.code == "lost"
    await socket.close()


async def test_a_server_that_opens_no_websocket_is_one_sentence(server: Server) -> None:
    with pytest.raises(EntryError, match="opens no WebSocket: it answers with 404"):
        await JsonSocket.open(server, path="/elsewhere")
    with pytest.raises(EntryError, match="nobody answers"):
        await JsonSocket.open(Server("ws://127.0.0.1:1", server.http, WAIT_S))
