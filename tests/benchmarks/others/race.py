"""Measures the claim race on our server and on other servers: fifty people claim one patient at the same time.

Our server decides by its rules, stores the record and its history on disk, and updates all subscribers of the queue.
The other servers set a key that must not exist yet, and inform the patient. The results are the time from the
winner's claim to its arrival at the patient's page on the other worker, and the CPU of all workers per race.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import uvloop

from tests.benchmarks.claim import PAUSE_S, PROVIDERS
from tests.benchmarks.figures import Made, compared, percentile, times
from tests.benchmarks.others.companies import Racer, companies
from tests.benchmarks.others.setup import Say
from tests.benchmarks.others.stacks import Stack, stacks
from tests.benchmarks.others.turns import Field, all_done
from tests.benchmarks.process import Child, cpu_ns
from tests.benchmarks.server import BenchServer
from tests.benchmarks.wire import PeerError, TimedWire
from tests.limits import WAIT_S

ARRIVE_S = WAIT_S
LIMIT_S = 1800.0
Tell = Callable[[float], None]


class Size(NamedTuple):
    """The number of rounds, and of races per round."""

    rounds: int
    races: int


WHOLE = Size(5, 40)
QUICK = Size(1, 20)


class Spent(NamedTuple):
    """The figures of a round: the time in ms until the patient's page shows the claim, and the CPU in µs of the
    workers and of the store per race.
    """

    p50_ms: float
    p99_ms: float
    us: float
    store_us: float


def measure(ours: BenchServer, size: Size, others: Sequence[str], say: Say, progress: Tell) -> Made:
    """Measure the races on our server and the `others`; return the comparisons.

    `size`: how much is measured. `say` prints a line. `progress`: called with the progress. Raises ChildError if the
    process of the clients fails.
    """
    with stacks(ours, others, (PROVIDERS, PROVIDERS, 1), say) as company:
        played: Field[Spent] = Child(race, company.stacks, size).result(LIMIT_S, progress)
    columns = {field: _column(played, field) for field in Spent._fields}
    name = "claim race"
    note = f"{PROVIDERS} racing on two workers, {times(size.rounds, 'round')} of {size.races}"
    return Made(
        [],
        [
            compared(
                "race_p50_ms", f"{name}: the patient’s page knows, p50", "ms", columns["p50_ms"], None, note
            ),
            compared("race_p99_ms", f"{name}: the patient’s page knows, p99", "ms", columns["p99_ms"]),
            compared("race_us", f"{name}: CPU of the workers for all {PROVIDERS}", "µs", columns["us"]),
            compared(
                "race_store_us", f"{name}: the store’s CPU for all {PROVIDERS}", "µs", columns["store_us"]
            ),
        ],
        [],
        [*company.skipped, *played.out],
        company.versions,
    )


def _column(played: Field[Spent], field: str) -> dict[str, list[float]]:
    return played.column(lambda spent: float(getattr(spent, field)))


def race(tell: Tell, found: Sequence[Stack], size: Size) -> Field[Spent]:
    """Play all clients of the servers `found` in this child process; return the results of each server's turns.

    `tell`: called with the progress (0.0 to 1.0). `size`: how much is measured.
    """
    return uvloop.run(_race(tell, found, size))


async def _race(tell: Tell, found: Sequence[Stack], size: Size) -> Field[Spent]:
    clients = await companies(found)
    tracks = {stack.name: Track(stack, clients[stack.name].claimed) for stack in found}
    field: Field[Spent] = Field(tracks)

    async def enter(name: str) -> None:
        track = tracks[name]
        track.racers, track.visit, track.pages = await clients[name].racers(PROVIDERS, track.heard)
        await track.spend(3)

    await field.each(enter)
    await field.play(size.rounds, lambda name: tracks[name].spend(size.races), tell)
    return field


class Track:
    """Runs races on one server.

    `racers`: the clients of this server that claim. `pages`: the patient's pages, one on each of its workers.
    """

    def __init__(self, stack: Stack, marker: bytes) -> None:
        self._stack, self._marker = stack, marker
        self.racers: list[Racer] = []
        self.visit = ""
        self.pages: dict[TimedWire, object] = {}
        self._knew: dict[object, asyncio.Future[int]] = {}
        self._started = 0

    def heard(self, wire: Any, payload: bytes, now_ns: int) -> None:
        """Record that a patient's page has received a claim.

        `wire`: the page's socket. `payload`: the message. `now_ns`: the monotonic time of reading.
        """
        if self._marker in payload:
            knew = self._knew.get(self.pages[wire])
            if knew is not None and not knew.done():
                knew.set_result(now_ns)

    async def spend(self, races: int) -> Spent:
        """Run `races` races; return their figures. Raises PeerError if a race does not have exactly one winner."""
        late_ns = []
        used, used_store = cpu_ns(self._stack.workers), cpu_ns([self._stack.store])
        for _ in range(races):
            late_ns.append(await self._once())
            await asyncio.sleep(PAUSE_S)
        return Spent(
            percentile(late_ns, 50) / 1e6,
            percentile(late_ns, 99) / 1e6,
            (cpu_ns(self._stack.workers) - used) / 1e3 / races,
            (cpu_ns([self._stack.store]) - used_store) / 1e3 / races,
        )

    async def _once(self) -> int:
        loop = asyncio.get_running_loop()
        self._knew = {worker: loop.create_future() for worker in self.pages.values()}
        start = self._started = (self._started + 1) % len(self.racers)
        sent_ns, asked = [], []
        racing = [*self.racers[start:], *self.racers[:start]]
        for racer in racing:
            sent_ns.append(time.monotonic_ns())
            asked.append(racer.claim(self.visit))
        won = await all_done(asked, ARRIVE_S)
        if sum(won) != 1:
            raise PeerError(f"{self._stack.name}: {sum(won)} winners in one race")
        winner = won.index(True)
        await all_done(list(self._knew.values()), ARRIVE_S)
        late_ns: int = max(
            knew.result() - sent_ns[winner]
            for worker, knew in self._knew.items()
            if worker != racing[winner].worker
        )
        async with asyncio.timeout(ARRIVE_S):
            await racing[winner].release(self.visit)
        return late_ns
