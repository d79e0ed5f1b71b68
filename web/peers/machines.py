"""One run over several processes, and over several machines: who does which share, when it begins, what they saw.

The process that coordinates shows and collects; each other one drives its share with a loop and a core of its own, and
sends what it saw every now and then. Machines need no connection: each is given its part of the same plan and the same
moment to begin, and their files of observations are merged afterwards.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import uvloop

from web.peers.arrivals import PlanError
from web.peers.entry import CannotEnter
from web.peers.load import Driver
from web.peers.observations import Observations
from web.peers.people import Refused
from web.peers.plan import Plan, Share
from web.peers.server import Watch

NEWS_S = 0.5
READY_S = 120.0
GOODBYE_S = 60.0
PARENT_GONE_S = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Failed(Exception):
    """A share could not be driven; the text is one sentence."""


class Crew:
    """The processes of a run. An order: `open`, `play`, `close`. `interrupted` tells whether it was ended early."""

    def __init__(self, plan: Plan, processes: int = 1, part: tuple[int, int] = (1, 1)) -> None:
        self.interrupted = False
        first, of = (part[0] - 1) * processes, part[1] * processes
        self._shares = [plan.share(first + number, of) for number in range(processes)]
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []

    @property
    def patients(self) -> int:
        """How many patients these processes play."""
        return sum(len(share.visitors) for share in self._shares)

    def open(self) -> None:
        """Start the processes; return when all their staff is On-Call. Raises Failed."""
        context = multiprocessing.get_context("spawn")
        for share in self._shares:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, share), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        deadline = time.monotonic() + READY_S
        for pipe in self._pipes:
            self._expect(pipe, "ready", deadline - time.monotonic())

    @staticmethod
    def _expect(pipe: Connection, wanted: str, within_s: float) -> None:
        if not pipe.poll(max(0.0, within_s)):
            raise Failed(f"the staff is not On-Call after {READY_S:.0f} s")
        try:
            kind, said = pipe.recv()
        except EOFError:
            raise Failed("a driving process has died") from None
        if kind != wanted:
            raise Failed(said)

    def play(
        self, seen: Observations, start_at: float | None = None, server_pids: Sequence[int] = ()
    ) -> None:
        """Begin, at `start_at` (s since 1970) or at once, and return when all is over. SIGINT ends it cleanly.

        What is seen is written into `seen`. Raises Failed when a process dies.
        """
        before = {number: signal.signal(number, self._interrupt) for number in SIGNALS}
        try:
            begin = max(time.time() + 0.1, start_at or 0.0)
            for pipe in self._pipes:
                pipe.send(("go", begin, seen.started_at))
            self._collect(seen, Watch(seen, *server_pids, machine=True))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        again, self.interrupted = self.interrupted, True
        if again:
            raise KeyboardInterrupt  # twice means now
        self.stop()

    def stop(self) -> None:
        """Nobody else comes; who is there says goodbye."""
        for pipe in self._pipes:
            if not pipe.closed:
                pipe.send(("stop",))

    def _collect(self, seen: Observations, watch: Watch) -> None:
        playing = {pipe: number for number, pipe in enumerate(self._pipes)}
        deadline: float | None = None
        ticked = 0.0
        while playing:
            for pipe in wait(list(playing), NEWS_S):
                assert isinstance(pipe, Connection)
                try:
                    kind, said = pipe.recv()
                except EOFError:
                    raise Failed("a driving process has died") from None
                if kind == "failed":
                    raise Failed(said)
                # The coordinator's own gauges are source 0.
                seen.absorb(said, source=playing[pipe] + 1)
                if kind == "done":
                    del playing[pipe]
            if time.monotonic() - ticked >= NEWS_S:
                ticked = time.monotonic()
                watch.tick()
            if self.interrupted:
                deadline = deadline or time.monotonic() + GOODBYE_S
                if time.monotonic() > deadline:
                    raise Failed(f"not everybody had left after {GOODBYE_S:.0f} s")

    def close(self) -> None:
        """End the processes, however far they are."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(PARENT_GONE_S)
            if process.is_alive():
                process.kill()
                process.join(PARENT_GONE_S)


def work(pipe: Connection, share: Share) -> None:
    """A process's whole life: drive a share as the coordinator says."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the coordinator hears them, and says what is to be done
    try:
        uvloop.run(_work(pipe, share))
    except (CannotEnter, Refused, PlanError) as problem:
        _tell(pipe, "failed", str(problem))
    except Exception as problem:  # noqa: BLE001 - whatever it is, the coordinator says it
        _tell(pipe, "failed", f"{type(problem).__name__}: {problem}")


async def _work(pipe: Connection, share: Share) -> None:
    loop = asyncio.get_running_loop()
    driver = Driver(share)
    orders: asyncio.Queue[Sequence[Any]] = asyncio.Queue()

    def heard() -> None:
        try:
            order = pipe.recv()
        except EOFError:
            order = ("stop",)
            loop.remove_reader(pipe.fileno())
        if order[0] == "stop":
            driver.stop()
        orders.put_nowait(order)

    loop.add_reader(pipe.fileno(), heard)
    try:
        await driver.open()
        _tell(pipe, "ready", "")
        kind, *order = await orders.get()
        seen = Observations(started_at=order[1]) if order else Observations()
        if kind == "go":
            # What is alive now stays: collecting it again and again is what a busy loop has no time for.
            gc.collect()
            gc.freeze()
            news = asyncio.create_task(_news(pipe, seen))
            await driver.play(seen, began=time.monotonic() + order[0] - time.time())
            news.cancel()
    finally:
        await driver.close()
    _tell(pipe, "done", seen.news())


async def _news(pipe: Connection, seen: Observations) -> None:
    while True:
        await asyncio.sleep(NEWS_S)
        _tell(pipe, "news", seen.news())


def _tell(pipe: Connection, kind: str, said: object) -> None:
    try:
        pipe.send((kind, said))
    except OSError:
        return  # the coordinator is gone; the end of its pipe says so too
