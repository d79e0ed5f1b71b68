"""A standard WebRTC peer in a process of its own, which makes the media of a synthetic person.

The peer reads and writes JSON objects, one a line. It reads `{"offer": sdp, "fresh": bool}`; `fresh` is true
if the offer begins a new connection. The peer replies with `{"answer": sdp}`, or with `{"answer": null}` if
it cannot use this offer and needs a fresh one. `{"on": bool}` makes it send picture and sound (true), or
black and silence (false). `{"close": true}` closes its connection. It writes `{"ready": true}` once,
`{"connected": true}` and `{"problem": text}`. It also writes `{"frames": n, "pictures": n, "sound": energy}`:
all that it has received since its start. `pictures` are frames that are not black. It ends when its standard
input ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from web.peers.media.flow import Flow, Media, until
from web.peers.media.media import Proxied, Sources
from web.peers.network.network import Network

# The longest time in s that a peer may need to start; a browser starts slowly on a busy machine.
START_S = 120.0
ANSWER_S = 60.0
END_S = 5.0
LINE_MAX = 1 << 20


class PeerProcess:
    """The process of a peer.

    `totals`: the frames, pictures and energy of sound that the peer has received so far. `media`: the peer's newest
    connection, which is informed when the totals have grown and when the peer has connected; None before the first
    connection.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.media: ProcessMedia | None = None
        self.totals: dict[str, float] = {"frames": 0, "pictures": 0, "sound": 0.0}
        self.problems: list[str] = []
        self.ready = asyncio.Event()
        self._answer: asyncio.Future[str | None] | None = None
        self._process = process

    def tell(self, message: dict[str, Any]) -> None:
        """Write a message to the peer, as a line of JSON."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def answer(self, offer: str, *, fresh: bool) -> str | None:
        """Return the peer's answer to an offer; None if the peer needs an offer that begins a new connection.

        `fresh`: True if this offer begins a new connection. Raises TimeoutError if the peer does not reply,
        RuntimeError if it has failed.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self.tell({"offer": offer, "fresh": fresh})
        async with asyncio.timeout(ANSWER_S):
            return await self._answer

    async def read(self) -> None:
        """Read the messages of the peer, and record its state, until the peer ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._take(json.loads(line))
        self._fail("the peer's process has ended")

    def _take(self, message: dict[str, Any]) -> None:
        if "answer" in message and self._answer is not None and not self._answer.done():
            self._answer.set_result(message["answer"])
        elif "problem" in message:
            self._fail(message["problem"])
        elif "frames" in message:
            gained = {name: message[name] - total for name, total in self.totals.items()}
            self.totals = message
            if self.media is not None:
                self.media.gained(gained)
        elif "ready" in message:
            self.ready.set()
        elif "connected" in message and self.media is not None:
            self.media.is_connected()

    def _fail(self, problem: str) -> None:
        self.problems.append(problem)
        self.ready.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RuntimeError(problem))


class ProcessMedia:
    """A connection of the peer's process, with the interface of `web.peers.media.flow.Media`. The
    process continues when the connection is closed.
    """

    def __init__(self, peer: PeerProcess, changed: Callable[[], None], flow: Flow | None) -> None:
        self.flow = flow or Flow()
        self._peer, self._notify = peer, changed
        self._connected, self._changed = False, asyncio.Event()
        peer.media = self

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """Return the peer's answer to an offer; None if the peer needs an offer that begins a new connection.

        `fresh`: True if this offer begins a new connection.
        """
        return await self._peer.answer(offer, fresh=fresh)

    async def wait_connected(self, timeout_s: float) -> None:
        """Return when packets can be sent. Raises TimeoutError after `timeout_s`."""
        await until(lambda: self._connected, self._changed, timeout_s)

    def start(self) -> None:
        """Send picture and sound instead of black and silence."""
        self._peer.tell({"on": True})

    def stop(self) -> None:
        """Send black and silence again."""
        self._peer.tell({"on": False})

    async def close(self) -> None:
        """Close the connection; the process continues."""
        self._peer.media = None
        self._peer.tell({"close": True})

    def is_connected(self) -> None:
        """Record that the connection is established, so that packets can be sent."""
        self._connected = True
        self._changed.set()
        self._notify()

    def gained(self, gained: dict[str, float]) -> None:
        """Count the media that the peer has received since its last report: the name of a total -> its
        growth.
        """
        self.flow.frames += int(gained["frames"])
        self.flow.pictures += int(gained["pictures"])
        self.flow.sound += gained["sound"]
        if gained["frames"]:
            self.flow.add(time.monotonic())
        self._notify()


@dataclass(frozen=True)
class ProcessSources(Sources):
    """Makes connections of the peer process `peer` for one person.

    Each connection has a proxy at the address `host`, which can play a bad network.
    """

    peer: PeerProcess | None = None
    host: str = "127.0.0.1"

    def open(self, changed: Callable[[], None], flow: Flow | None = None) -> Media:
        """Return a new connection of the peer. `changed` is called when its state or its received media change."""
        assert self.peer is not None
        return Proxied(ProcessMedia(self.peer, changed, flow), Network(), self.number, self.host)


@asynccontextmanager
async def peer_process(command: Sequence[str]) -> AsyncIterator[PeerProcess]:
    """Run a peer by this command; yield it when it is ready, and end it afterwards. Raises TimeoutError if it is not
    ready within START_S.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=LINE_MAX)
    peer = PeerProcess(process)
    reader = asyncio.create_task(peer.read())
    try:
        async with asyncio.timeout(START_S):
            await peer.ready.wait()
        yield peer
    finally:
        reader.cancel()
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
