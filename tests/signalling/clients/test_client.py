"""Tests one socket of a client against a scripted server.

It covers requests and replies, received messages that nobody has read yet, and how the socket closes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgpack
import pytest
from aiohttp import web

from signalling.clients import client as module
from signalling.clients.client import JSON, MSGPACK, Received, SignallingClient, accepted
from signalling.errors import ClosedError, RequestError
from tests.limits import WAIT_S
from tests.signalling.waits import until

Script = Callable[["Server", Received], Awaitable[None]]


class Server:
    """A server that replies to hello with `welcome` and to all other messages with `ok`, unless its script replies."""

    def __init__(self, script: Script | None) -> None:
        self.script = script
        self.received: list[Received] = []
        self.headers: dict[str, str] = {}
        self.ws = web.WebSocketResponse(protocols=(JSON, MSGPACK))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers = dict(request.headers)
        await self.ws.prepare(request)
        async for frame in self.ws:
            message = (
                json.loads(frame.data)
                if frame.type is aiohttp.WSMsgType.TEXT
                else msgpack.unpackb(frame.data)
            )
            self.received.append(message)
            if self.script is None or message["type"] == "hello":
                await self.answer(message)
            else:
                await self.script(self, message)
        return self.ws

    async def answer(self, message: Received, kind: str = "", **fields: Any) -> None:
        kind = kind or ("welcome" if message["type"] == "hello" else "ok")
        await self.send({"type": kind, "reply_to": message["id"], **fields})

    async def send(self, message: Received) -> None:
        if self.ws.ws_protocol == JSON:
            await self.ws.send_str(json.dumps(message))
        else:
            await self.ws.send_bytes(msgpack.packb(message))


Connect = Callable[..., Awaitable[SignallingClient]]


@asynccontextmanager
async def serving(script: Script | None = None, **how: Any) -> AsyncIterator[tuple[Server, SignallingClient]]:
    """Yield a server, and a client that is connected to it.

    `script`: answers the client's requests; None: the server answers `ok`. `how`: arguments of
    `SignallingClient.connect`.
    """
    async with listening(script) as (server, connect):
        client = await connect(**how)
        yield server, client
        await client.close()


@asynccontextmanager
async def listening(script: Script | None = None) -> AsyncIterator[tuple[Server, Connect]]:
    """Yield a server, and a function that connects a client to it.

    `script`: answers the client's requests; None: the server answers `ok`.
    """
    server = Server(script)
    app = web.Application()
    app.router.add_get("/ws", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as http:

        def connect(**how: Any) -> Awaitable[SignallingClient]:
            how.setdefault("timeout_s", WAIT_S)
            return SignallingClient.connect(http, f"http://127.0.0.1:{port}/ws", "staff", **how)

        yield server, connect
    await runner.cleanup()


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_a_client_says_hello_and_each_request_has_its_reply(subprotocol: str) -> None:
    async with serving(subprotocol=subprotocol, headers={"Cookie": "greenroom=1"}) as (server, client):
        assert client.welcome == {"type": "welcome", "reply_to": 1}
        assert await client.request("subscribe", topic="queue") == {"type": "ok", "reply_to": 2}
        assert server.received == [
            {"type": "hello", "id": 1, "role": "staff"},
            {"type": "subscribe", "id": 2, "topic": "queue"},
        ]
        assert server.headers["Cookie"] == "greenroom=1"
        assert server.headers["Sec-WebSocket-Protocol"] == subprotocol
        assert "Sec-WebSocket-Extensions" not in server.headers
        assert client.closed_with is None


async def test_a_servers_certificate_is_checked_unless_the_caller_says_how() -> None:
    class Http:
        """Replaces aiohttp's session: opens no WebSocket, and reports its argument `ssl` in an error."""

        async def ws_connect(self, url: str, **how: Any) -> Any:
            raise aiohttp.ClientError(how["ssl"])

    http: Any = Http()
    with pytest.raises(aiohttp.ClientError) as refused:
        await SignallingClient.connect(http, "wss://h/demo/ws", "staff")
    assert refused.value.args == (True,)
    with pytest.raises(aiohttp.ClientError) as refused:
        await SignallingClient.connect(http, "wss://h/demo/ws", "staff", ssl=False)
    assert refused.value.args == (False,)


async def test_messagepack_is_spoken_unless_json_is_asked_for() -> None:
    async with serving() as (server, _):
        assert server.ws.ws_protocol == MSGPACK


async def test_replies_may_come_in_another_order() -> None:
    waiting: list[Received] = []

    async def script(server: Server, message: Received) -> None:
        waiting.append(message)
        if len(waiting) == 2:
            await server.answer(waiting[1], value=2)
            await server.answer(waiting[0], value=1)

    async with serving(script) as (_, client):
        first, second = await client.ask("a"), await client.ask("b")
        assert (await second)["value"] == 2
        assert (await first)["value"] == 1


async def test_a_refusal_is_raised_with_its_code_and_details() -> None:
    async def script(server: Server, message: Received) -> None:
        await server.answer(message, "error", code="not_found", text="There is none.", details={"a": 1})

    async with serving(script) as (_, client):
        with pytest.raises(RequestError, match=r"not_found: There is none\.") as refused:
            await client.request("visit.claim", visit="v_1")
        assert (refused.value.code, refused.value.details) == ("not_found", {"a": 1})
        assert (await (await client.ask("visit.claim")))["type"] == "error", "a future is not judged"
    assert accepted({"type": "ok"}) == {"type": "ok"}


async def test_a_request_without_a_reply_ends_in_time_and_its_late_reply_is_dropped() -> None:
    asked: list[Received] = []

    async def script(server: Server, message: Received) -> None:
        asked.append(message)

    async with serving(script) as (server, client):
        client._timeout_s = 0.2
        with pytest.raises(TimeoutError):
            await client.request("ping")
        await until(lambda: asked)
        await server.answer(asked[0])
        await server.send({"type": "queue.row"})
        assert await client.expect("queue.row", timeout_s=WAIT_S) == {"type": "queue.row"}
        assert not client.backlog


async def test_messages_that_are_no_reply_are_kept_until_they_are_expected() -> None:
    async with serving() as (server, client):
        for number in range(4):
            await server.send({"type": "row" if number else "snapshot", "number": number})
        await server.send({"type": "odd", "reply_to": 99})
        assert (await client.expect("row", lambda message: message["number"] > 1))["number"] == 2
        await until(lambda: len(client.backlog) == 2)
        assert [message["type"] for message in client.backlog] == ["row", "odd"]
        later = asyncio.ensure_future(client.expect("late"))
        await asyncio.sleep(0)
        await server.send({"type": "late"})
        assert await later == {"type": "late"}
        with pytest.raises(TimeoutError):
            await client.expect("never", timeout_s=0.01)
    assert module.BACKLOG == client.backlog.maxlen == 10_000


async def test_a_wait_without_a_limit_of_its_own_ends_with_that_of_the_connection() -> None:
    async with serving() as (_, client):
        client._timeout_s = 0.01
        for waiting in (client.expect("never"), client.wait_closed()):
            with pytest.raises(TimeoutError):
                await waiting


async def test_a_listener_receives_every_message_that_is_no_reply() -> None:
    heard: list[Received] = []
    async with serving(listener=heard.append) as (server, client):
        await server.send({"type": "row"})
        await until(lambda: heard)
        assert (heard, len(client.backlog)) == ([{"type": "row"}], 0)


async def test_a_close_code_ends_every_wait_and_every_later_call() -> None:
    async def script(server: Server, message: Received) -> None:
        if message["type"] == "end":
            await server.ws.close(code=4203)

    async with serving(script) as (_, client):
        told: list[str] = []
        client.on_close(lambda: told.append("closed"))
        unanswered, expected = await client.ask("wait"), asyncio.ensure_future(client.expect("row"))
        await client.ask("end")
        assert await client.wait_closed() == 4203
        assert (client.closed_with, told) == (4203, ["closed"])
        for waiting in (unanswered, expected, client.ask("more"), client.send({}), client.expect("row")):
            with pytest.raises(ClosedError, match="4203") as closed:
                await waiting
            assert closed.value.code == 4203


async def test_a_socket_that_vanishes_was_closed_without_a_code() -> None:
    async with serving() as (server, client):
        client.vanish()
        assert await client.wait_closed() == 1006
        await until(lambda: server.ws.closed)
        assert server.ws.close_code == 1006
        client.vanish()
        client.stop_reading()


async def test_a_client_that_stops_reading_receives_nothing_more() -> None:
    async with serving() as (server, client):
        client.stop_reading()
        await server.send({"type": "row"})
        with pytest.raises(TimeoutError):
            await client.expect("row", timeout_s=0.1)
        client.vanish()  # otherwise it would wait 10 s for the server's close frame, which it does not read


async def test_a_bye_is_sent_and_the_end_of_the_socket_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_S", WAIT_S)

    async def script(server: Server, message: Received) -> None:
        await server.ws.close(code=1000)

    async with serving(script) as (server, client):
        await client.bye()
        assert server.received[-1] == {"type": "bye", "id": 2}
        assert client.closed_with == 1000
        await client.bye()
        assert len(server.received) == 2


async def test_a_server_that_does_not_end_after_a_bye_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(server: Server, message: Received) -> None:
        return

    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    async with serving(script) as (server, client):
        await client.bye()
        await until(lambda: server.ws.closed)
        assert (server.ws.close_code, client.closed_with) == (1006, 1006)


async def test_a_client_may_be_used_as_a_context_and_is_closed_behind_it() -> None:
    async with listening() as (server, connect):
        async with await connect() as client:
            await client.request("ping")
        await until(lambda: server.ws.closed)
        assert client.closed_with is not None


class Refusing(Server):
    """A server that refuses each `hello` that has a resume token, with the error `code`."""

    code = "resume_expired"

    async def answer(self, message: Received, kind: str = "", **fields: Any) -> None:
        if "resume" in message:
            await super().answer(message, "error", code=self.code, text="", details={})
        else:
            await super().answer(message, kind, **fields)


@pytest.mark.parametrize(
    ("code", "or_anew", "accepted"),
    [("resume_expired", True, True), ("resume_expired", False, False), ("not_signed_in", True, False)],
)
async def test_a_token_that_is_refused_may_begin_anew(
    code: str, or_anew: bool, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "code", code)
    monkeypatch.setattr(f"{__name__}.Server", Refusing)
    async with listening() as (server, connect):
        if accepted:
            client = await connect(resume="token", or_anew=or_anew)
            assert server.received == [
                {"type": "hello", "id": 1, "role": "staff", "resume": "token"},
                {"type": "hello", "id": 2, "role": "staff"},
            ]
            assert client.welcome["type"] == "welcome"
            await client.close()
        else:
            with pytest.raises(RequestError, match=code):
                await connect(resume="token", or_anew=or_anew)
            await until(lambda: server.ws.closed)
            assert len(server.received) == 1
