"""Tests the server that a conformance run starts in order to check a client.

It follows a script. Correct clients pass, and the faults of other clients are reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from signalling.clients.client import JSON
from signalling.clients.reconnecting import ReturningClient
from tests.limits import WAIT_S
from web.peers.conformance import client_media, client_socket
from web.peers.conformance import endpoint as scripted
from web.peers.conformance.endpoint import Endpoint
from web.peers.conformance.judge import RULES
from web.peers.conformance.table import Outcome

NOT_SEEN = {"repeats", "media", "connects", "consent", "framing", "red", "nack"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the times for which the server waits for what a client may do, and lengthens the others."""
    monkeypatch.setattr(scripted, "AWAY_S", 1.2)
    monkeypatch.setattr(scripted, "BACK_S", 3.0)
    monkeypatch.setattr(client_socket, "TOPIC_S", 1.0)
    monkeypatch.setattr(client_socket, "PONG_S", 0.5)
    monkeypatch.setattr(scripted, "FIRST_S", WAIT_S)
    monkeypatch.setattr(client_socket, "HELLO_S", WAIT_S)


def wait_for_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server wait for a client that follows the rules as long as a busy machine needs."""
    for name in ("BACK_S", "SLACK_S"):
        monkeypatch.setattr(scripted, name, WAIT_S)
    for name in ("HELLO_S", "TOPIC_S", "AGAIN_S", "PONG_S", "ANSWER_S"):
        monkeypatch.setattr(client_socket, name, WAIT_S)
    monkeypatch.setattr(client_media, "CONNECT_S", WAIT_S)


async def judged(client: Callable[[str], Awaitable[Any]]) -> dict[str, Outcome]:
    """Let a client connect to the scripted server; return the outcomes: key of a rule -> its outcome."""
    async with Endpoint() as endpoint:
        running = asyncio.ensure_future(client(endpoint.url))
        try:
            outcomes = await endpoint.run()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return dict(zip(RULES, outcomes, strict=True))


def faults(outcomes: dict[str, Outcome]) -> dict[str, tuple[str, str]]:
    """Return the broken rules: key of a rule -> (what was expected, what was received)."""
    return {key: (o.fault.expected, o.fault.got) for key, o in outcomes.items() if o.fault is not None}


async def test_our_python_client_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_clients(monkeypatch)
    heard: list[dict[str, Any]] = []

    async def client(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            returning = ReturningClient.to(http, url, "staff", headers={"Origin": "http://127.0.0.1"})
            await returning.hold("queue", heard.append)
            assert await returning.run() == 4201

    outcomes = await judged(client)
    assert faults(outcomes) == {}
    assert {key for key, o in outcomes.items() if o.undecided} == NOT_SEEN
    assert {m["epoch"] for m in heard if "epoch" in m} == {"e_1", "e_2", "e_3"}


async def test_each_fault_of_a_broken_client_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # This client never makes the server wait, except for a pong.
    monkeypatch.setattr(scripted, "BACK_S", WAIT_S)
    monkeypatch.setattr(scripted, "AWAY_S", WAIT_S)
    monkeypatch.setattr(client_socket, "TOPIC_S", WAIT_S)
    monkeypatch.setattr(client_socket, "WELCOME_AFTER_S", WAIT_S)

    async def client(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            token, versions = "", 0
            while True:
                with contextlib.suppress(aiohttp.ClientError, ValueError, TypeError):
                    # This client has these faults: no Origin, the token in the address, no pongs, one id for all
                    # requests, and no pause before it reconnects.
                    async with http.ws_connect(f"{url}?{token}", protocols=(JSON,), autoping=False) as ws:
                        hello = {
                            "type": "hello",
                            "id": 1,
                            "role": "staff",
                            **({"resume": "c_1"} if token else {}),
                        }
                        await ws.send_json(hello)
                        await ws.send_json({"type": "on_call", "id": 1, "on": "yes"})
                        held = {"epoch": "e_1", "version": versions} if versions else {}
                        await ws.send_json({"type": "subscribe", "id": 1, "topic": "queue", **held})
                        await ws.send_json({"type": "chat.send", "id": 1, "visit": "v_1", "text": "Hello?"})
                        async for frame in ws:
                            if frame.type is aiohttp.WSMsgType.TEXT:
                                message = json.loads(frame.data)
                                token = message.get("resume", token)
                                if message.get("topic") == "queue":
                                    versions = message["version"]
                await asyncio.sleep(0)

    found = faults(await judged(client))
    wanted = {
        "origin",
        "secret",
        "waits",
        "shape",
        "ids",
        "pong",
        "stale",
        "token",
        "anew",
        "repeats",
        "away",
    }
    assert wanted <= found.keys(), found


async def test_a_client_that_gives_up_has_that_fault_and_the_other_rules_are_undecided() -> None:
    async def once(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            headers = {"Origin": "http://127.0.0.1"}
            returning = ReturningClient.to(http, url, "staff", headers=headers)
            await returning._one_socket()

    found = await judged(once)
    assert found["drains"].fault is not None
    assert found["stale"].undecided


async def test_a_client_that_answers_an_offer_after_a_while_is_judged_by_its_answer() -> None:
    async def late(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            headers = {"Origin": "http://127.0.0.1"}
            async with http.ws_connect(url, protocols=(JSON,), headers=headers) as ws:
                await ws.send_json({"type": "hello", "id": 1, "role": "patient"})
                assert (await ws.receive_json())["type"] == "welcome"
                await ws.send_json({"type": "subscribe", "id": 2, "topic": "visit/v_1"})
                await ws.send_json({"type": "media.join", "id": 3, "visit": "v_1"})
                async for frame in ws:
                    if (message := json.loads(frame.data))["type"] == "media.offer":
                        await asyncio.sleep(5 * client_socket.SETTLE_S)
                        answer = {"type": "media.answer", "id": 4, "visit": "v_1", "sdp": "v=0"}
                        await ws.send_json({**answer, "offer": message["offer"]})

    found = await judged(late)
    assert found["media"].fault is not None


async def test_a_very_deep_message_of_a_client_is_a_fault_and_no_crash() -> None:
    async def deep(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            headers = {"Origin": "http://127.0.0.1"}
            async with http.ws_connect(url, protocols=(JSON,), headers=headers) as ws:
                await ws.send_str("[" * 60_000)

    found = await judged(deep)
    assert found["shape"].fault is not None
    assert found["shape"].fault.expected == "a map"


async def test_an_attempt_that_ends_before_the_upgrade_is_followed_by_the_next_one() -> None:
    async def attempt(port: int, version: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        upgrade = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: {version}"
        key = f"Sec-WebSocket-Key: {'A' * 22}=="
        writer.write(f"GET /demo/ws HTTP/1.1\r\nHost: a\r\n{key}\r\n{upgrade}\r\n\r\n".encode())
        return reader, writer

    async with Endpoint() as endpoint, aiohttp.ClientSession() as http, asyncio.timeout(WAIT_S):
        page = f"http://127.0.0.1:{endpoint.port}/"
        _, gone = await attempt(endpoint.port, 13)
        await http.get(page)  # the server answers after it has read the attempt
        gone.transport.abort()
        await http.get(page)
        running = asyncio.ensure_future(endpoint.run())
        reader, refused = await attempt(endpoint.port, 1)
        assert (await reader.readline()).split()[1] == b"400"
        refused.close()
        async with http.ws_connect(endpoint.url, protocols=(JSON,)) as ws:
            await ws.send_json({"type": "ping", "id": 1})
            outcomes = dict(zip(RULES, await running, strict=True))
    assert "hello" in faults(outcomes)
