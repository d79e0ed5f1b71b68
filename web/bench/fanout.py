"""What it costs to tell everybody: a thousand sockets of staff on two workers hear the queue.

The news are On-Call switches, five a second, and then twenty at once, again and again. Measured is the CPU of all
workers' threads for each message that arrived, everything that the workers do meanwhile included.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import uvloop

from web.bench.figures import Figure, percentile
from web.bench.peers import Door, Peer, PeerError, Seat, answers, enter_all, refuse_errors
from web.bench.process import Child, cpu_ns
from web.bench.stage import Stage

SOCKETS = 1000
PEOPLE = 50
RATE = 5.0
RATE_S = 8.0
BURST = 20
SETTLE_S = 1.0
ARRIVE_S = 20.0
LIMIT_S = 150.0
Tell = Callable[[float], None]


class Spent(NamedTuple):
    """One phase: what it took the workers and the store in all, and how late the last of everybody heard each news."""

    deliveries: int
    workers_ns: int
    store_ns: int
    last_ms: list[float]


def measure(stage: Stage, sockets: int, seconds: float, progress: Tell) -> list[Figure]:
    """Plays both phases. Raises ChildFailed."""
    staff = stage.staff(PEOPLE, sockets)
    steady, bursts = Child(listen, stage.door, staff, seconds, stage.workers, stage.store).result(
        LIMIT_S, progress
    )
    note = f"{sockets} sockets on two workers"
    return [
        Figure(
            "fanout_us", f"fan-out at {RATE:.0f} events/s, CPU a delivery", _each(steady), "µs", 10.0, note
        ),
        Figure("fanout_last_p50_ms", "the last of all sockets hears it, p50", _p50(steady), "ms"),
        Figure("fanout_burst_us", f"fan-out in bursts of {BURST}, CPU a delivery", _each(bursts), "µs"),
        Figure(
            "fanout_store_us",
            "the store’s CPU for one event",
            steady.store_ns / 1e3 / max(1, len(steady.last_ms)),
            "µs",
        ),
    ]


def _each(spent: Spent) -> float:
    return spent.workers_ns / 1e3 / max(1, spent.deliveries)


def _p50(spent: Spent) -> float:
    return percentile(spent.last_ms, 50)


def listen(
    tell: Tell, door: Door, seats: list[Seat], seconds: float, workers: list[int], store: int
) -> tuple[Spent, Spent]:
    """The people's process: what the steady phase and the bursts took."""
    return uvloop.run(_listen(tell, door, seats, seconds, workers, store))


class Audience:
    """Everybody who hears the queue, and a count of what arrived."""

    def __init__(self, workers: Sequence[int], store: int) -> None:
        self.peers: list[Peer] = []
        self._workers = workers
        self._store = store
        self._heard = 0
        self._last_ns = 0
        self._wanted = 0
        self._complete = asyncio.Event()

    def news(self, peer: Peer, payload: bytes, now: int) -> None:
        """One message of a topic."""
        if b"queue.staff" not in payload:
            return
        self._heard += 1
        self._last_ns = now
        if self._heard == self._wanted:
            self._complete.set()

    async def spend(self, events: Sequence[int], switch: Callable[[int], "asyncio.Future[None]"]) -> Spent:
        """Makes the events, `events[n]` at once every 1/RATE s, and waits until everybody has heard each.

        Raises PeerError where somebody misses one.
        """
        used, used_store, last_ms = cpu_ns(self._workers), cpu_ns([self._store]), []
        before = self._heard
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, at_once in enumerate(events):
            await asyncio.sleep(max(0.0, began + number / RATE - loop.time()))
            self._wanted = self._heard + at_once * len(self.peers)
            self._complete.clear()
            sent = time.monotonic_ns()
            await asyncio.gather(*(switch(each) for each in range(at_once)))
            try:
                await asyncio.wait_for(self._complete.wait(), ARRIVE_S)
            except TimeoutError:
                raise PeerError(f"{self._wanted - self._heard} deliveries are missing") from None
            last_ms.append((self._last_ns - sent) / 1e6)
        return Spent(
            self._heard - before,
            cpu_ns(self._workers) - used,
            cpu_ns([self._store]) - used_store,
            last_ms,
        )


async def _listen(
    tell: Tell, door: Door, seats: list[Seat], seconds: float, workers: list[int], store: int
) -> tuple[Spent, Spent]:
    audience = Audience(workers, store)
    audience.peers = peers = await enter_all(door, seats, audience.news, lambda part: tell(part * 0.3))
    for start in range(0, len(peers), 100):
        asked = [peer.ask("subscribe", topic="queue") for peer in peers[start : start + 100]]
        for answer in await answers(asked):
            refuse_errors(answer)
    on = dict.fromkeys(range(PEOPLE), False)

    async def flip(person: int) -> None:
        on[person] = not on[person]
        refuse_errors((await answers([peers[person].ask("on_call", on=on[person])]))[0])

    def switch(person: int) -> "asyncio.Future[None]":
        return asyncio.ensure_future(flip(person))

    await audience.spend([1] * 5, switch)
    await asyncio.sleep(SETTLE_S)
    tell(0.4)
    steady = await audience.spend([1] * round(seconds * RATE), switch)
    tell(0.8)
    bursts = await audience.spend([BURST] * max(3, round(seconds)), switch)
    return steady, bursts
