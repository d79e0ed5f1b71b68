"""Distributes one run over several processes and machines: starts the processes, begins the run in all of them at
the same time, and collects the observations.

One process coordinates the run: it collects the observations and shows them. Each other process plays a share
of the patients and providers in an event loop of its own, and sends its observations about once a second.
Times in messages are relative to the moment of sending. The coordinating process has a pipe to each other
process, which may be on another machine (`web.peers.distributed.coordinator`). Machines that send nothing to each
other each play a part of the same plan, and begin at the same time; their files of observations are merged afterwards.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import uvloop

from web.peers.errors import EntryError, ObservationsError, PlanError, RefusedError, RunError
from web.peers.run.driver import Driver
from web.peers.run.observations import Observations
from web.peers.run.plan import Plan, Share
from web.peers.run.presence import Presence
from web.peers.run.server import Watch

NEWS_S = 0.5
EACH_S = 1.0
READY_S = 120.0
GOODBYE_S = 60.0
PARENT_GONE_S = 2.0
SOON_S = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM)


DIED = "a driving process has died"


class Crew:
    """The processes of a run. Call `open`, `play`, `close` in this order.

    `interrupted`: True if a signal ended the run early; `gone`: True if the run ended early because the server
    was gone; `ended`: the sentence with which `each_second` ended the run, "" if it did not end the run.
    """

    def __init__(
        self, plan: Plan, processes: int = 1, part: tuple[int, int] = (1, 1), helpers: int = 0
    ) -> None:
        """Divide the plan among `processes` on this machine and `helpers` on other machines.

        `part`: (k, n) if `n` machines play one plan without a connection between them, and this is machine `k`.
        Raises PlanError if a process would have no provider.
        """
        self.interrupted = self.gone = self._over = False
        self.ended = ""
        first, of = (part[0] - 1) * processes, part[1] * processes + helpers
        self._shares = [plan.share(first + number, of) for number in range(processes)]
        self.remote_shares = [plan.share(processes + number, of) for number in range(helpers)]
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []

    @property
    def patients(self) -> int:
        """The number of patients that these processes, and the helpers on other machines, play."""
        return sum(len(share.visitors) for share in [*self._shares, *self.remote_shares])

    def open(self, others: Sequence[Connection] = ()) -> None:
        """Start the processes of this machine; return when all providers of the run are On-Call.

        `others`: the pipes of the processes on other machines, whose providers must be On-Call as well. Raises RunError
        if a process fails, or if not all providers are On-Call after READY_S seconds.
        """
        for share in self._shares:
            pipe, process = begin(share)
            self._pipes.append(pipe)
            self._processes.append(process)
        self._pipes.extend(others)
        deadline = time.monotonic() + READY_S
        waiting = set(self._pipes)
        while waiting:
            ready = wait(list(waiting), max(0.0, deadline - time.monotonic()))
            if not ready:
                raise RunError(f"the staff is not On-Call after {READY_S:.0f} s")
            for one in ready:
                assert isinstance(one, Connection)
                self._received(one)
                waiting.remove(one)

    @staticmethod
    def _received(pipe: Connection) -> tuple[str, Any]:
        try:
            kind, content = pipe.recv()
        except (EOFError, OSError):
            raise RunError(DIED) from None
        if kind == "failed":
            raise RunError(content)
        return kind, content

    def play(
        self,
        seen: Observations,
        in_s: float = 0.0,
        server_pids: Sequence[int] = (),
        presence: Presence | None = None,
        each_second: Callable[[Observations], str] | None = None,
    ) -> None:
        """Begin the run in `in_s` seconds, add its observations to `seen`, and return when the run has ended.

        `server_pids`: the server's processes, whose CPU and memory are recorded. `presence`: checks whether the server
        is still there; if it is gone, the run ends. `each_second`: is called about once a second with the observations
        so far; if it returns a sentence, the run ends. SIGINT and SIGTERM end the run and its open visits. Raises
        RunError if a process dies.
        """
        before = {number: signal.signal(number, self._interrupt) for number in SIGNALS}
        try:
            begins = time.monotonic() + max(SOON_S, in_s)
            for pipe in self._pipes:
                self._order(pipe, "go", begins - time.monotonic(), seen.now_s)
            self._collect(seen, Watch(seen, *server_pids, machine=True), presence, each_second)
            self._over = True
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @staticmethod
    def _order(pipe: Connection, *order: object) -> None:
        # An OSError is ignored: perhaps the process at the other end has died. Then `_collect` raises RunError.
        with suppress(OSError):
            pipe.send(order)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        again, self.interrupted = self.interrupted, True
        if again:
            # A second signal ends the run at once.
            raise KeyboardInterrupt
        self.stop()

    def stop(self) -> None:
        """Order all processes to stop: no further patient arrives, and the visits that are open are ended."""
        for pipe in self._pipes:
            if not pipe.closed:
                self._order(pipe, "stop")

    def _collect(
        self,
        seen: Observations,
        watch: Watch,
        presence: Presence | None,
        each_second: Callable[[Observations], str] | None,
    ) -> None:
        playing = {pipe: number for number, pipe in enumerate(self._pipes)}
        deadline: float | None = None
        ticked = called = 0.0
        while playing:
            for pipe in wait(list(playing), NEWS_S):
                assert isinstance(pipe, Connection)
                kind, content = self._received(pipe)
                # `source`: the number of the process that recorded a gauge. The coordinator records gauges too, and
                # has the number 0; so the other processes have the numbers from 1.
                try:
                    seen.absorb(content, source=playing[pipe] + 1)
                except ObservationsError as problem:
                    raise RunError(f"what a driving process saw cannot be read: {problem}") from None
                if kind == "done":
                    del playing[pipe]
            if time.monotonic() - ticked >= NEWS_S:
                ticked = time.monotonic()
                watch.tick()
            if presence is not None and presence.is_gone and not self.gone:
                self.gone = True
                self.stop()
            if each_second is not None and not self.ended and time.monotonic() - called >= EACH_S:
                called = time.monotonic()
                self.ended = each_second(seen)
                if self.ended:
                    self.stop()
            if self.interrupted or self.gone or self.ended:
                deadline = deadline or time.monotonic() + (PARENT_GONE_S if self.gone else GOODBYE_S)
                if time.monotonic() > deadline:
                    if self.gone:
                        # No visit can be ended properly without the server, so the run ends; the report has the
                        # observations so far.
                        return
                    raise RunError(f"not everybody had left after {GOODBYE_S:.0f} s")

    def close(self) -> None:
        """End the processes of this machine.

        This method may be called at any time. After a complete run, it waits until the providers are Off-Call.
        """
        end(self._pipes, self._processes, GOODBYE_S if self._over and not self.gone else PARENT_GONE_S)


def begin(share: Share) -> tuple[Connection, BaseProcess]:
    """Start a process that drives a share; return (its pipe, the process). Call this in the main thread."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, share), daemon=True)
    # Ctrl-C in a terminal reaches the new process too, perhaps before `work` has begun. So the process ignores it
    # from its start.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    theirs.close()
    return ours, process


def end(pipes: Sequence[Connection], processes: Sequence[BaseProcess], within_s: float) -> None:
    """Close the pipes, which ends the processes; kill those that still run after `within_s` seconds."""
    for pipe in pipes:
        pipe.close()
    deadline = time.monotonic() + within_s
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join(PARENT_GONE_S)


def work(pipe: Connection, share: Share) -> None:
    """Play a share of the plan; receive the coordinator's orders from the pipe. This function runs in a new process."""
    for number in SIGNALS:
        # This process ignores SIGINT and SIGTERM: the coordinator handles them, and sends the order to stop.
        signal.signal(number, signal.SIG_IGN)
    try:
        uvloop.run(_work(pipe, share))
    except (EntryError, RefusedError, PlanError) as problem:
        _send(pipe, "failed", str(problem))
    except Exception as problem:  # noqa: BLE001 - the coordinator prints any error
        _send(pipe, "failed", f"{type(problem).__name__}: {problem}")


async def _work(pipe: Connection, share: Share) -> None:
    loop = asyncio.get_running_loop()
    driver = driver_of(share)
    orders: asyncio.Queue[Sequence[Any]] = asyncio.Queue()
    over = asyncio.Event()

    def order_arrived() -> None:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            order = ("stop",)
            loop.remove_reader(pipe.fileno())
            over.set()
        if order[0] == "stop":
            driver.stop()
        orders.put_nowait((time.monotonic(), *order))

    loop.add_reader(pipe.fileno(), order_arrived)
    try:
        await driver.open()
        _send(pipe, "ready", "")
        told_at, kind, *order = await orders.get()
        seen = Observations()
        if kind == "go":
            in_s, ago_s = order
            seen = Observations(ago_s=ago_s + time.monotonic() - told_at)
            # The objects made so far stay until the end. The garbage collector must not check them again and again,
            # because that would delay the event loop.
            gc.collect()
            gc.freeze()
            news = asyncio.create_task(_news(pipe, seen))
            await driver.play(seen, began=told_at + in_s)
            news.cancel()
        _send(pipe, "done", seen.news())
        # Off-Call holds for a whole staff account, which other processes of the run may use too. So this process
        # waits until the run has ended in all processes, before it sets its providers Off-Call.
        await over.wait()
    finally:
        await driver.close()


def driver_of(share: Share) -> Driver:
    """Return a driver for a share: it plays visits on a Greenroom server, or calls on another server by an adapter.

    Raises PlanError if the adapter cannot be loaded.
    """
    if share.plan.adapter:
        from web.peers.run.calls import CallDriver

        return CallDriver(share)
    from web.peers.run.load import VisitDriver

    return VisitDriver(share)


async def _news(pipe: Connection, seen: Observations) -> None:
    while True:
        await asyncio.sleep(NEWS_S)
        _send(pipe, "news", seen.news())


def _send(pipe: Connection, kind: str, content: object) -> None:
    try:
        pipe.send((kind, content))
    except OSError:
        # The coordinator has ended, so nobody reads the last message.
        return
