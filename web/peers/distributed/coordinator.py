"""Lets other machines, the helpers, join a run, and makes a pipe to each of their processes.

A small HTTPS server in a thread of its own copies messages between WebSockets and pipes, so that `Crew` can use remote
processes like local processes. Its certificate is made for the run; a request without the run's key is refused before
the upgrade. If a helper leaves before the run begins, another helper can take its place; if it leaves during the run,
its pipes report the loss. The coordinator sends no helper the credentials of its staff; each helper uses its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import multiprocessing
import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from web.peers.distributed.messages import (
    CLOSE_S,
    HEARTBEAT_S,
    HELPERS,
    LARGEST,
    OTHER_VERSION,
    Address,
    Broken,
    Channel,
    Done,
    FromHelper,
    Go,
    Join,
    Leaving,
    Message,
    News,
    Open,
    Over,
    Present,
    Ready,
    Stop,
    Welcome,
)
from web.peers.errors import ChannelLostError, RunError, UnknownMessageError
from web.peers.run.plan import Plan, Share
from web.server import tls

CHECK_S = 120.0
"""The time in s that a helper may take to check the plan and to reach the plan's server."""
BIND_S = 30.0
NOTES = 64
"""The greatest number of sentences that are printed about refused machines and about helpers that left."""
ORDERS = 1024


@dataclass(eq=False)
class _Helper:
    """A machine that has joined the run: its channel, and for each of its processes a share of the plan and a pipe."""

    name: str
    channel: Channel[FromHelper]
    shares: list[Share]
    present: bool = False
    pipes: list[Connection] = field(default_factory=list)
    over: set[int] = field(default_factory=set)
    outbox: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(ORDERS))


class Coordinator:
    """Lets helpers (other machines) join a run, while this context manager is open.

    `gather` waits until all have joined, and returns the pipes for `Crew.open`. `say` is called with a sentence when a
    helper joins or leaves. `names`: the names of all helpers; `left`: the names of the helpers that ended early.
    `fingerprint`: the SHA-256 of the certificate, in hex. Raises RunError if the coordinator cannot listen, or if the
    plan is too long to send.
    """

    def __init__(
        self, at: Address, key: str, plan: Plan, shares: Sequence[Share], say: Callable[[str], None]
    ) -> None:
        if len(msgspec.msgpack.encode(plan.shared)) > LARGEST // 2:
            raise RunError("the plan is too long for helpers: a recorded day of fewer arrivals is wanted")
        self.at, self.left, self.names = at, list[str](), list[str]()
        self._bearer, self._plan, self._say = f"Bearer {key}".encode(), plan, say
        self._tls, self.fingerprint = _certificate()
        self._wanted, self._of = len(shares), shares[-1].index + 1
        self._free = list(shares)
        self._helpers: list[_Helper] = []
        self._arrived = 0
        self._noted = set[str]()
        self._begun = False
        self._deadline = time.monotonic() + CHECK_S
        self._why = ""
        self._bound: Future[int] = Future()
        self._complete: Future[list[Connection]] = Future()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="helpers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.at = self.at._replace(port=self._bound.result(BIND_S))
        except (OSError, OverflowError, UnicodeError) as problem:
            self._thread.join(CLOSE_S)
            why = os.strerror(problem.errno).lower() if isinstance(problem, OSError) and problem.errno else ""
            raise RunError(f"cannot listen at {self.at}" + (f": {why}" if why else "")) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RunError):
            self._why = str(error)
        elif error is not None:
            self._why = "it was broken off"
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(2 * CLOSE_S + 1)

    @property
    def joined(self) -> str:
        """A sentence with the number of helpers that have joined."""
        there = sum(len(helper.shares) for helper in self._helpers if helper.present)
        return f"{there} of {self._wanted} helpers have joined"

    def gather(self, within_s: float) -> list[Connection]:
        """Wait until all helpers have joined; return the pipes to their processes, in the order of the shares.

        Raises RunError if that takes longer than `within_s` seconds.
        """
        self._deadline = time.monotonic() + within_s
        try:
            return self._complete.result(within_s)
        except TimeoutError:
            raise RunError(f"only {self.joined} within {within_s:g} s") from None
        except KeyboardInterrupt:
            raise RunError(f"ended before it began: {self.joined}") from None

    # --- methods that run in the server's thread

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        # If `_bound` and `_complete` have no result, they are cancelled, so that no thread waits for them without end.
        finally:
            self._bound.cancel()
            self._complete.cancel()
            for pipe in (pipe for helper in self._helpers for pipe in helper.pipes):
                pipe.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._connect)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        try:
            try:
                await runner.setup()
                await web.TCPSite(runner, self.at.host, self.at.port, ssl_context=self._tls).start()
            except Exception as problem:  # noqa: BLE001 - `__enter__` raises it again
                self._bound.set_exception(problem)
                return
            self._bound.set_result(runner.addresses[0][1])
            await self._ended.wait()
            await asyncio.gather(*(self._part(helper.channel, self._why) for helper in self._helpers))
        finally:
            await runner.cleanup()

    @staticmethod
    async def _part(channel: Channel[FromHelper], why: str) -> None:
        with suppress(ChannelLostError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await channel.send(Over(why[:1000]))
                await channel.close()

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._bearer):
            if given:
                self._note(f"Somebody at {request.remote} came with a wrong key.")
            return web.Response(
                status=401, text="A run of greenroom peers: see greenroom peers join --help\n"
            )
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=LARGEST, compress=False, timeout=CLOSE_S
        )
        if not socket.can_prepare(request).ok:
            return web.Response(status=426)
        await socket.prepare(request)
        channel = Channel(socket, HELPERS)
        try:
            helper = await self._admitted(channel, request.remote or "")
        except UnknownMessageError:
            self._note(f"Somebody at {request.remote} came with another version of Greenroom.")
            await channel.close(OTHER_VERSION)
        except ChannelLostError:
            # The helper has left before it joined the run, so nothing is printed about it.
            pass
        else:
            if helper is not None:
                await self._stay(helper)
        return socket

    def _note(self, sentence: str) -> None:
        """Print a sentence if it was not printed before, and if fewer than NOTES sentences were printed.

        After the run has begun nothing is printed, because the run's display then uses the screen.
        """
        if not self._begun and sentence not in self._noted and len(self._noted) < NOTES:
            self._noted.add(sentence)
            self._say(sentence)

    async def _admitted(self, channel: Channel[FromHelper], remote: str) -> _Helper | None:
        first = await channel.receive()
        if not isinstance(first, Join):
            raise UnknownMessageError
        if first.processes > len(self._free):
            await self._part(channel, self._no_room(first.processes))
            return None
        self._arrived += 1
        machine = "".join(letter for letter in first.machine if letter.isprintable())
        shares, self._free = self._free[: first.processes], self._free[first.processes :]
        helper = _Helper(f"helper {self._arrived} ({machine}, {remote})", channel, shares)
        self._helpers.append(helper)
        return helper

    def _no_room(self, processes: int) -> str:
        left = len(self._free)
        if not left:
            return f"all {self._wanted} helpers have joined already"
        return (
            f"{left} more {'helper is' if left == 1 else 'helpers are'} wanted; found {processes} --processes"
        )

    async def _stay(self, helper: _Helper) -> None:
        why = ""
        writer = asyncio.create_task(self._write(helper))
        try:
            helper.outbox.put_nowait(self._welcome(helper))
            await self._listen(helper)
        except ChannelLostError as problem:
            why = str(problem)
            if self._begun and len(helper.over) == len(helper.pipes):
                await self._part(helper.channel, "")
        except UnknownMessageError:
            why = "it says what cannot be understood"
            await self._part(helper.channel, "what was said is not understood: is it the same Greenroom?")
        finally:
            writer.cancel()
            await self._gone(helper, why)

    def _welcome(self, helper: _Helper) -> Welcome:
        return Welcome(
            plan=self._plan.shared,
            shares=tuple(share.index for share in helper.shares),
            digests=tuple(share.digest for share in helper.shares),
            of=self._of,
            greenroom=version("greenroom"),
            within_s=max(0.0, self._deadline - time.monotonic()),
        )

    async def _write(self, helper: _Helper) -> None:
        try:
            while True:
                await helper.channel.send(await helper.outbox.get())
        except ChannelLostError:
            # The helper's channel is closed here, which ends the loop in `_listen` that receives its messages.
            await helper.channel.close()

    async def _listen(self, helper: _Helper) -> None:
        if not isinstance(received := await helper.channel.receive(CHECK_S), Present):
            raise ChannelLostError(received.why) if isinstance(received, Leaving) else UnknownMessageError
        helper.present = True
        self._say(f"{self.joined}: {helper.name} is there.")
        if sum(len(one.shares) for one in self._helpers if one.present) == self._wanted:
            self._begin()
        while True:
            received = await helper.channel.receive(None)
            if isinstance(received, Leaving):
                if not self._begun:
                    raise ChannelLostError(received.why)
                self.left.append(helper.name)
            else:
                await self._pass_on(helper, received)
            if helper.name in self.left and len(helper.over) == len(helper.pipes):
                raise ChannelLostError("its user ended it")

    def _begin(self) -> None:
        self._begun = True
        pipes: dict[int, Connection] = {}
        for helper in self._helpers:
            self.names.append(helper.name)
            for number, share in enumerate(helper.shares):
                pipes[share.index], theirs = multiprocessing.Pipe()
                helper.pipes.append(theirs)
                self._loop.add_reader(theirs.fileno(), self._order, helper, number)
            helper.outbox.put_nowait(Open())
        self._complete.set_result([pipes[index] for index in sorted(pipes)])

    def _order(self, helper: _Helper, process: int) -> None:
        pipe = helper.pipes[process]
        try:
            kind, *rest = pipe.recv()
        except (EOFError, OSError):
            self._loop.remove_reader(pipe.fileno())
            return
        with suppress(
            asyncio.QueueFull
            # The queue of messages to this helper is full, so it contains an order to stop already. A second order to
            # stop would change nothing.
        ):
            helper.outbox.put_nowait(Go(process, *rest) if kind == "go" else Stop(process))

    async def _pass_on(self, helper: _Helper, received: FromHelper) -> None:
        match received:
            case Ready(process):
                found: tuple[str, str | bytes] = "ready", ""
            case News(process, lines):
                found = "news", lines
            case Done(process, lines):
                found = "done", lines
            case Broken(process, why):
                found = "failed", f"{helper.name}: {why}"
            case _:
                raise UnknownMessageError
        if process >= len(helper.pipes) or process in helper.over:
            raise UnknownMessageError
        if found[0] in ("done", "failed"):
            helper.over.add(process)
        await self._to_pipe(helper.pipes[process], found)

    @staticmethod
    async def _to_pipe(pipe: Connection, message: tuple[str, str | bytes]) -> None:
        """Write a message to the pipe in a thread, so that a full pipe does not delay the messages of other helpers."""
        with suppress(OSError):
            await asyncio.to_thread(pipe.send, message)

    async def _gone(self, helper: _Helper, why: str) -> None:
        self._helpers.remove(helper)
        if self._begun and helper.pipes:
            for number, pipe in enumerate(helper.pipes):
                self._loop.remove_reader(pipe.fileno())
                if number not in helper.over:
                    await self._to_pipe(pipe, ("failed", f"{helper.name} is gone: {why}"))
                pipe.close()
            return
        self._free = sorted([*self._free, *helper.shares], key=lambda share: share.index)
        if not self._ended.is_set():
            self._note(f"{self.joined}: {helper.name} has left: {why}")


def _certificate() -> tuple[ssl.SSLContext, str]:
    """Make a certificate for one run; return the TLS context and the certificate's SHA-256 in hex."""
    with tempfile.TemporaryDirectory(prefix="greenroom-peers-") as folder:
        certificate, key = tls.self_signed(Path(folder), datetime.now(UTC))
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))
        return tls.server_context(str(certificate), str(key)), hashlib.sha256(der).hexdigest()
