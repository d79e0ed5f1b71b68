"""Tests sockets that send frames as fast as they can: the server counts every frame and closes the socket.

Until then, other clients get their answers almost as fast as usual. This is row 30 of docs/SECURITY.md.
"""

import asyncio
import contextlib
import itertools
import socket
import time
from urllib.parse import urlsplit

from aiohttp import ClientSession

from signalling.clients.client import JSON, SignallingClient
from tests.faults.conftest import ALL, Measured
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, headers
from tests.signalling.worker_process import worker_process
from web.peers.people.frames import frame

CHUNK = 65_536
FOR_S = 12.0 if ALL else WAIT_S
FLOODER = Clinic.provider("Dr Flood")
HELLO = frame(0x1, b'{"type":"hello","id":1,"role":"staff"}')
MASK = b"\0\0\0\0"
FIRST = b"\x01\x81" + MASK + b"x"
"""The first frame of a text message that has no end."""
FLOODS = {
    "PONG": (b"", frame(0xA, b"")),
    "PONG of 125 bytes": (b"", frame(0xA, b"x" * 125)),
    "PING": (b"", frame(0x9, b"")),
    "empty continuation": (FIRST, b"\x00\x80" + MASK),
    "empty continuation without a mask": (FIRST, b"\x00\x00"),
    "continuation of a byte": (FIRST, b"\x00\x81" + MASK + b"x"),
    "PING between parts": (FIRST, b"\x00\x80" + MASK + frame(0x9, b"")),
    "text": (b"", frame(0x1, b'{"type":"ping","id":1}')),
    "empty text": (b"", frame(0x1, b"")),
    "long text": (b"", frame(0x1, b'{"type":"ping","id":1,"pad":"' + b"x" * 60_000 + b'"}')),
    "binary": (b"", frame(0x2, b"x")),
    "long PONG lengths": (b"", b"\x8a\xfe\x00\x01" + MASK + b"x"),
}


def flood(url: str, hello: bool, first: bytes, more: bytes) -> tuple[float, int]:
    """Send `first`, then `more` again and again, on a new WebSocket to `url`, as fast as the server reads.

    Return (the time in s, the number of bytes) until the server closes the socket, or until FOR_S is over. `hello`:
    True to send a hello before.
    """
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=WAIT_S) as peer:
        lines = {
            "Host": at.netloc,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "Z3JlZW5yb29tIHRlc3RzIQ==",
            "Sec-WebSocket-Protocol": JSON,
            **headers(FLOODER),
        }
        peer.sendall(
            ("GET /ws HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode()
        )
        assert b" 101 " in peer.recv(65536)
        if hello:
            peer.sendall(HELLO)
            assert b"welcome" in peer.recv(65536)
        peer.sendall(first)
        chunk, sent, started = more * max(1, CHUNK // len(more)), 0, time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < FOR_S:
                peer.sendall(chunk)
                sent += len(chunk)
        return time.monotonic() - started, sent


async def slowest(clients: list[SignallingClient], until: asyncio.Future[tuple[float, int]]) -> float:
    """Return the longest time in s that the server needed to answer a request of one of `clients`.

    Requests are sent one after another, until 50 ms after the future `until` is done.
    """
    worst, ends = 0.0, float("inf")
    for client in itertools.cycle(clients):
        started = time.monotonic()
        if started > ends:
            break
        await client.request("ping")
        worst = max(worst, time.monotonic() - started)
        if until.done() and ends == float("inf"):
            ends = time.monotonic() + 0.05
        await asyncio.sleep(0.004)
    return worst


async def test_s30_a_flood_of_any_frames_is_cut_off_and_others_hardly_notice(
    valkey_url: str, measured: Measured
) -> None:
    worst, longest = 0.0, 0.0
    async with worker_process(valkey_url) as worker, ClientSession() as http:
        quiet = [headers(Clinic.provider(f"Dr Quiet{number}")) for number in range(8)]
        clients = [
            await SignallingClient.connect(http, worker.url, "staff", headers=who, timeout_s=WAIT_S)
            for who in quiet
        ]
        loop = asyncio.get_running_loop()
        for (name, (first, more)), hello in itertools.product(FLOODS.items(), (False, True)):
            flooding = loop.run_in_executor(None, flood, worker.url, hello, first, more)
            took = await slowest(clients, flooding)
            lasted, sent = await flooding
            assert lasted < FOR_S, f"{name}: not cut off after {sent} bytes (hello: {hello})"
            worst, longest = max(worst, took), max(longest, lasted)
        for client in clients:
            await client.close()
    measured("S30", "others' slowest answer beside a flood of frames", worst * 1000, "ms", at_most=50)
    measured("S30", "a flood of frames lasts", longest, "s", at_most=1)
