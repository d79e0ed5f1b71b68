"""Measures in a second the ratio between the CPU time of a piece of our code and that of other code for the
same work.

A ratio differs little between machines, so that a test can compare it with the ratio of the last release
(`ratios.json`).
`python -m tests.benchmarks.ratios` measures the ratios and their noise for a release.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from signalling.hub import Hub, Socket, frame
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL
from signalling.protocol.server_messages import QueueStaff
from signalling.protocol.shapes import StaffPart
from signalling.visit.record import Actor, Role

FILE: Final = Path(__file__).with_name("ratios.json")
SOCKETS: Final = 400
TURNS: Final = 15
MESSAGES: Final = 1000
TOPIC: Final = "queue"
CODEC: Final = CODECS[JSON_SUBPROTOCOL]
CLAIM: Final = b'{"type":"visit.claim","id":17,"visit":"v_FftPlrLaJm8ArxIe"}'
Work = Callable[[], Awaitable[None]]


class Kept(msgspec.Struct, frozen=True):
    """A ratio as measured for a release.

    `noise`: the share by which the ratio differed between repeated measurements.
    """

    release: str
    ratio: float
    noise: float


class Pair(NamedTuple):
    """Two functions to compare: each does the same work once, `ours` by our code and `peer` by other code."""

    ours: Work
    peer: Work


class _Wire(asyncio.WriteTransport):
    """A transport that sends each write at once to a UDP socket that nobody reads.

    `written` has the number of writes on all transports. The event `last` is set after SOCKETS writes.
    """

    def __init__(self, sending: socket.socket, written: list[int], last: asyncio.Event) -> None:
        super().__init__()
        self._sending, self._written, self._last = sending, written, last

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._sending.send(data)
        self._written[0] += 1
        if self._written[0] == SOCKETS:
            self._last.set()


def fan_out(sending: socket.socket) -> Pair:
    """Return a Pair: our hub sends a row to SOCKETS sockets; `peer` makes as many writes of the same bytes.

    The row is a staff row of the queue. `sending`: the UDP socket to which all bytes are written.
    """
    hub, written, last = Hub(), [0], asyncio.Event()
    for number in range(SOCKETS):
        actor = Actor(organisation="riverside", id=f"u_{number}", name="", role=Role.PROVIDER)
        one = Socket(_Wire(sending, written, last), CODEC, actor, f"c_{number}", 1 << 20, lambda _: None)
        hub.add(one)
        hub.subscribe(one, TOPIC, 0)
    part = StaffPart(id="u_1", name="x" * 300, role=Role.PROVIDER, on_call=True, in_session=False)
    version = 0

    async def ours() -> None:
        nonlocal version
        version += 1
        written[0] = 0
        last.clear()
        hub.publish(TOPIC, version, QueueStaff(topic=TOPIC, version=version, staff=part))
        await last.wait()

    data = frame(CODEC.encode(QueueStaff(topic=TOPIC, version=1, staff=part)), CODEC.opcode)

    async def peer() -> None:
        for _ in range(SOCKETS):
            sending.send(data)

    return Pair(ours, peer)


def decode(_: socket.socket) -> Pair:
    """Return a Pair: our codec decodes requests to typed messages; Python's json decodes the same bytes."""

    async def ours() -> None:
        for _ in range(MESSAGES):
            CODEC.decode(CLAIM)

    async def peer() -> None:
        for _ in range(MESSAGES):
            json.loads(CLAIM)

    return Pair(ours, peer)


RATIOS: Final = {"fan-out, times a bare write": fan_out, "a request decoded, times json": decode}


async def _spent_s(work: Work) -> float:
    began = time.thread_time()
    await work()
    return time.thread_time() - began


async def _measured(name: str) -> float:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        sink.bind(("127.0.0.1", 0))
        sending.connect(sink.getsockname())
        pair = RATIOS[name](sending)
        ours = peer = math.inf
        for _ in range(TURNS):
            ours, peer = min(ours, await _spent_s(pair.ours)), min(peer, await _spent_s(pair.peer))
    return ours / peer


def measured(name: str) -> float:
    """Return the ratio with this name in RATIOS, measured now.

    The ratio is the least CPU time of TURNS runs of our code, divided by the least CPU time of TURNS runs of
    the other code.
    """
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_measured(name))
    finally:
        gc.enable()


def kept(path: Path = FILE) -> dict[str, Kept]:
    """Return the ratios of the last release, read from the file `path`: name -> ratio."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Kept])


def fallen(name: str, before: Kept, measure: Callable[[str], float] = measured, tries: int = 20) -> float:
    """Return by how much a ratio exceeds the value of `before` plus its noise, as a share of that value; 0.0 if
    it does not.

    `name`: the ratio, which is measured now. `before`: its value in the last release. `measure`: the function
    that measures it. The ratio is measured at most `tries` times, and the least value is used, because other
    work on the machine can only make a ratio greater.
    """
    least = math.inf
    for _ in range(tries):
        least = min(least, measure(name) / before.ratio - 1 - before.noise)
        if least <= 0:
            return 0.0
    return least


@contextmanager
def busy_machine() -> Iterator[None]:
    """Keep all cores and their caches busy with other processes, as other tests do, while the `with` block runs."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: sorted(range(100_000))"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def of_release(release: str, times: int = 30) -> dict[str, Kept]:
    """Return the ratios of this version, with their noise. `release`: the name of this version.

    Each ratio is measured `times` times on this machine as it is, and again `times` times while other processes
    use all cores. The value of the ratio is the median of the measurements on the machine as it is. The noise
    is the largest distance of a measurement, of either series, from this median, as a share of the median.
    """
    found = {}
    for name in RATIOS:
        alone = [measured(name) for _ in range(times)]
        with busy_machine():
            beside = [measured(name) for _ in range(times)]
        middle = statistics.median(alone)
        noise = max(abs(value / middle - 1) for value in (*alone, *beside))
        found[name] = Kept(release, round(middle, 3), round(noise, 3))
    return found


if __name__ == "__main__":
    from importlib.metadata import version

    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(of_release(version("greenroom")))) + b"\n")
