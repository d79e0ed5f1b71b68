"""Tests answers that no handler gives: to bytes that are not HTTP, and to requests that fail before their route is
known.
"""

import asyncio
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import RunningServer
from web.requests.security import HEADERS, host_of
from web.server import runner
from web.server.runner import Runner

TOP = b"GET / HTTP/1.1\r\nHost: a\r\n"
FORM = b"POST /demo/information HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: none\r\n"
MALFORMED = [
    b"GARBAGE\r\n\r\n",
    # The beginning of a TLS connection, sent to a port without TLS.
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"FOO[] / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    TOP + b"X: " + b"b" * 20_000 + b"\r\n\r\n",
    TOP + b"Bad Header\r\n\r\n",
    TOP + b"Content-Length: x\r\n\r\n",
    TOP + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    TOP + b"Cookie: greenroom=\x01\r\n\r\n",
    TOP + b"\r\nGARBAGE\r\n\r\n",
    FORM + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
]
"""Bytes that are not HTTP, or an HTTP request that is not complete."""

REFUSED = [
    b"GET //[ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b;\xff\r\n\r\n",
    TOP + b"Expect: a miracle\r\n\r\n",
    TOP + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    b"GET /static/nothing.css HTTP/1.1\r\nHost: a\r\nRange: bytes=z\r\nAccept-Language: \xff;q=z,,;\r\n\r\n",
    FORM + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789",
    FORM + b"Content-Type: multipart/form-data\r\nContent-Length: 10\r\n\r\n0123456789",
]
"""HTTP requests that no handler answers."""


def answer(server: RunningServer, sent: bytes) -> list[bytes]:
    """Send these bytes on a new connection; return the head of each answer."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
        client.sendall(sent)
        found = b""
        try:
            while b"\r\n\r\n" not in found or sent.endswith(b"GARBAGE\r\n\r\n"):
                data = client.recv(65536)
                if not data:
                    break
                found += data
        except TimeoutError:
            pass
    return [head for head in found.split(b"\r\n\r\n") if head.startswith(b"HTTP/")]


def test_s40_low_level_errors_have_the_headers_and_no_version_and_are_one_debug_line_each(
    greenroom_server: StartServer,
) -> None:
    server = greenroom_server(log={"level": "debug"})
    drawn = random.Random(40)
    cut = [drawn.randbytes(30) + b"\r\n\r\n" for _ in range(20)]
    for sent in (*MALFORMED, *REFUSED, *cut):
        heads = answer(server, sent)
        assert heads, sent
        for head in heads:
            names = {line.partition(b":")[0].decode().lower() for line in head.splitlines()[1:]}
            assert {name.lower() for name in HEADERS} <= names, (sent, head)
            assert "content-security-policy" in names
            assert "server" not in names
            assert b"aiohttp" not in head
            assert b"Python" not in head
        if sent not in REFUSED:
            assert b" 400 " in heads[-1].splitlines()[0], (sent, heads)
    assert server.stop() == 0
    told = [event for event in server.events if event["event"] == "request.malformed"]
    assert len(told) == len(MALFORMED) + len(cut)
    assert {event["level"] for event in told} == {"debug"}
    assert not [event for event in server.events if event["level"] in ("warning", "error")]
    assert "trace" not in server.log


def test_s40_a_request_without_a_host_asks_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: pytest.fail("a name server was asked"))
    assert host_of(make_mocked_request("GET", "/")) == ""


# --- tests of the runner with a version of aiohttp that lacks the private attributes which the runner uses


def gone(*_: Any) -> Any:
    raise AttributeError("renamed")


async def test_what_the_runner_knows_of_aiohttp_is_so() -> None:
    with capture_logs() as logs:
        assert await runner.works()
    assert logs == []


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("waits", gone),
        ("requests", gone),
        ("waits", lambda _: True),
        ("requests", lambda _: 0),
        ("requests", lambda _: 1),
        ("assign", lambda *_: None),
    ],
)
async def test_a_changed_aiohttp_is_noticed_at_the_start(
    name: str, instead: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, name, instead)
    with capture_logs() as logs:
        assert not await runner.works()
    assert [entry["event"] for entry in logs] == ["server.runner_changed"]


async def test_without_private_attributes_requests_are_answered_and_a_stop_ends_every_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("assign", "waits", "requests"):
        monkeypatch.setattr(runner, name, gone)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        begun.set()
        await goes_on.wait()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", slow)
    with socket.create_server(("127.0.0.1", 0)) as listener, capture_logs() as logs:
        served = Runner(app, [listener], private=False, shutdown_timeout=20, access_log=None)
        await served.setup()
        host, port = listener.getsockname()
        idle, busy, wrong = [await asyncio.open_connection(host, port) for _ in range(3)]
        wrong[1].write(b"no HTTP\r\n\r\n")
        assert b" 400 " in await wrong[0].readline()
        busy[1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await begun.wait()
        stopped = asyncio.create_task(served.cleanup())
        goes_on.set()
        assert (await busy[0].read()).endswith(b"done")
        assert await idle[0].read() == b""
        await stopped
        for _, writer in (idle, busy, wrong):
            writer.close()
    assert logs == []
