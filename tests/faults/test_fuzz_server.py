"""Tests that a real server survives hostile requests and frames, from strangers and from patients.

Each input has a connection of its own. Its cost is the CPU time of the worker's event loop, as the kernel counts it.
The table of results lists the figures under "F".
"""

import contextlib
import json
import os
import re
import select
import socket
import struct
import time
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import StartServer
from tests.faults.conftest import Measured, Rounds
from tests.faults.hostile import FRAME_BYTES, JSON_TOKENS, hostile_forms, hostile_parts
from tests.faults.mutation import Mutator
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.signalling.protocol.test_protocol import EXAMPLES
from tests.web.site import FORM, OSEI

SEED = os.environ.get("GREENROOM_FUZZ_SEED", "1")
AT_ONCE = 6
ANSWER_S = 0.012  # time in s that the test waits for an answer; half of the inputs get none
AT_MOST_MS = 50
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Stranger:
    """A client that sends inputs to a server, and reads how much CPU time the worker's event loop spends."""

    def __init__(self, server: RunningServer) -> None:
        where = urllib.parse.urlsplit(server.url)
        self._at = (str(where.hostname), where.port or 80)
        self.host = where.netloc
        (self._pid,) = server.pids
        self._statistics = Path(f"/proc/{self._pid}/task/{self._pid}/schedstat")
        self.asked = self.answered = 0

    def _spent_ns(self) -> int:
        return int(self._statistics.read_text().split()[0])

    def send(self, inputs: Sequence[bytes], wait_s: float = ANSWER_S) -> float:
        """Send each input on its own connection; return the CPU time in ms that the worker's loop spent on all of them.

        `wait_s`: how long to wait for an answer.
        """
        before = self._spent_ns()
        sockets = []
        for data in inputs:
            sock = socket.create_connection(self._at, WAIT_S)
            with contextlib.suppress(OSError):
                sock.sendall(data)
            sockets.append(sock)
        self.asked += len(inputs)
        waiting, end = set(sockets), time.monotonic() + wait_s
        while waiting and (left_s := end - time.monotonic()) > 0:
            ready, _, _ = select.select(list(waiting), [], [], left_s)
            for sock in ready:
                with contextlib.suppress(OSError):
                    self.answered += bool(sock.recv(65_536))
                waiting.discard(sock)
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        return (self._spent_ns() - before) / 1e6

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Return the bytes of a request as a page of this site sends it.

        In the names of `headers`, `_` is written for `-`.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Origin: http://{self.host}"]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def cookie_of_a_patient(self) -> str:
        """Open a visit, as anybody may; return the cookie that the patient's browser gets."""
        form = urllib.parse.urlencode(FORM).encode()
        kind = "application/x-www-form-urlencoded"
        with socket.create_connection(self._at, WAIT_S) as sock:
            sock.sendall(self.request("POST", "/demo/information", form, Content_Type=kind))
            answer = sock.recv(65_536)
        found = re.search(rb"Set-Cookie: (greenroom=[^;]+)", answer, re.IGNORECASE)
        assert found, answer
        return found[1].decode()


def requests(stranger: Stranger, cookie: str) -> tuple[list[bytes], list[bytes]]:
    """Return (HTTP requests that strangers may send, parts to insert into them).

    `cookie`: the cookie of the patient `stranger`.
    """
    ask, form_kind = stranger.request, "application/x-www-form-urlencoded"
    paths = [
        *(
            "/",
            "/demo",
            "/demo/information",
            "/demo/appointments",
            "/demo/staff/sign-in",
            "/healthz",
            "/readyz",
        ),
        *(
            "/demo/visit",
            "/demo/api/v1/visits",
            "/demo/join/" + "a" * 32,
            "/demo/enter/" + "a" * 32,
            "/static/x",
        ),
    ]
    samples = [ask("GET", path, Cookie=cookie, Accept_Language="es, en;q=0.5") for path in paths]
    forms = hostile_forms()[0]
    for path in (
        "/demo/information",
        "/demo/appointments/new",
        "/demo/appointments/hold",
        "/demo/staff/password",
    ):
        samples += [ask("POST", path, form, Content_Type=form_kind) for form in forms]
    parts = hostile_parts()[0]
    samples += [
        ask(
            "POST",
            "/demo/information",
            part,
            Content_Type="multipart/form-data; boundary=edge",
            Cookie=cookie,
        )
        for part in parts
    ]
    body = json.dumps({"patient": FORM}).encode()
    samples.append(
        ask("POST", "/demo/api/v1/visits", body, Content_Type="application/json", Authorization="Bearer x")
    )
    tokens = [
        b"\r\n",
        b"\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nabcde\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\n",
    ]
    tokens += [
        b"Content-Length: 0\r\n",
        b"Content-Length: -1\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: websocket\r\n",
    ]
    tokens += [
        b"Content-Encoding: gzip\r\n",
        b"charset=utf-7",
        b"X-Forwarded-For: 1\r\n",
        b"Cookie: " + b"a=b;" * 900,
    ]
    tokens += [
        b"Sec-Fetch-Site: none\r\n",
        b"Origin: null\r\n",
        b"%00",
        b"%ff",
        b"/../",
        b"?" + b"a=b&" * 900,
        b"\x00",
    ]
    tokens += [
        b"HTTP/1.0",
        b"GET http://x/ HTTP/1.1\r\n",
        b"a" * 9000,
        *hostile_forms()[1],
        *hostile_parts()[1],
    ]
    return samples, tokens


def frames(stranger: Stranger, cookie: str) -> tuple[list[bytes], list[bytes]]:
    """Return (the messages on a patient's socket: upgrade, hello and requests; the parts to insert into them).

    `cookie`: the cookie of the patient `stranger`.
    """
    upgrade = stranger.request(
        "GET", "/demo/ws", Cookie=cookie, Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
        Sec_WebSocket_Key=KEY, Sec_WebSocket_Protocol="greenroom.v1.json",
    )  # fmt: skip
    hello = _masked(b'{"type":"hello","id":1,"role":"patient"}')
    asked = [" ".join(text.split()).encode() for side, text in EXAMPLES if side == "client"]
    several = [_masked(text) for text in asked]
    samples = [upgrade + hello + one + other for one, other in zip(several, reversed(several), strict=True)]
    samples += [upgrade + hello + b"".join(several[at::4]) for at in range(4)]
    tokens = [_masked(token[:100]) for token in JSON_TOKENS] + several
    tokens += [
        _masked(b"", 0x89),
        _masked(b"", 0x8A),
        _masked(b"\x03\xe8", 0x88),
        _masked(b"", 0x01),
        b"\x81\xff" + b"\xff" * 12,
    ]
    return samples, tokens


def _masked(text: bytes, first: int = 0x81) -> bytes:
    head = (
        bytes((first, 0x80 | len(text)))
        if len(text) < 126
        else bytes((first, 0xFE)) + struct.pack("!H", len(text))
    )
    return head + bytes(4) + text


def test_f_a_server_lives_through_hostile_requests_and_frames(
    greenroom_server: StartServer, rounds: Rounds, measured: Measured
) -> None:
    server = greenroom_server(limits={"visits_per_address": 0})
    pids, stranger = server.pids, Stranger(server)
    cookie = stranger.cookie_of_a_patient()
    inputs, worst_ms = rounds(420, 60_000), 0.0
    for make in (requests, frames):
        samples, tokens = make(stranger, cookie)
        mutator = Mutator(f"{SEED} {make.__name__}", samples, tokens, FRAME_BYTES)
        # The valid samples go first, so that the time to load modules at first use is not measured.
        for sample in samples:
            stranger.send([sample], wait_s=WAIT_S)
        assert stranger.answered >= len(samples), "what is valid is answered"
        for _ in range(inputs // 2 // AT_ONCE):
            together = [mutator.next() for _ in range(AT_ONCE)]
            took_ms = stranger.send(together)
            # One input of this batch may have been too slow, so each is measured alone.
            if took_ms > AT_MOST_MS / 2:
                took_ms = max(min(stranger.send([data]) for _ in range(2)) for data in together)
            worst_ms = max(worst_ms, took_ms)
    assert server.pids == pids, "a worker ended"
    assert server.status("/healthz") == 200
    lines = server.log.splitlines()
    assert not [line for line in lines if not line.startswith("{")], "standard error has events only"
    errors = Counter(
        (str(event.get("error", event["event"])), str(event.get("trace", ""))[:300])
        for event in server.events
        if event["level"] in ("error", "critical")
    )
    assert not errors
    assert OSEI not in server.log
    what = f"hostile requests to a server, {stranger.asked:,}: loop held at most"
    measured("F", what, worst_ms, "ms of CPU", at_most=AT_MOST_MS)
