"""Measures fan-out (one message to many sockets) on our server and on the other servers, in turn.

A thousand sockets on two workers subscribe to the queue. Each update is a changed row of On-Demand Requests:
a patient has left a step of the setup guide. There are three phases: five updates a second, then twenty
updates at once, then updates as fast as possible. The results are the workers' CPU time per received message,
which includes all their other work, and the time until each socket read it.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import uvloop

from tests.benchmarks import bare
from tests.benchmarks.figures import Comparison, Figure, Made, compared, percentile, times
from tests.benchmarks.others.companies import Act, Company, companies
from tests.benchmarks.others.setup import Say
from tests.benchmarks.others.stacks import OURS, Stack, stacks
from tests.benchmarks.others.turns import Field
from tests.benchmarks.process import Child, cpu_ns
from tests.benchmarks.server import BenchServer
from tests.benchmarks.wire import PeerError
from tests.limits import WAIT_S

SOCKETS = 1000
PEOPLE = 50
# this number of clients make the updates in turn, so that none of them exceeds the rate that the server allows
MAKERS = 40
RATE = 5.0
BURST = 20
IN_FLIGHT = 20
BARE = 1.85
STORE_TARGET_US = 350.0
BARE_NOTE = "the 10 µs were set where a bare write takes 5.4"
SETTLE_S = 1.0
ARRIVE_S = WAIT_S
LIMIT_S = 1800.0
Tell = Callable[[float], None]


class Size(NamedTuple):
    """How much a run measures.

    Per round: `steady_s` seconds of steady updates, `bursts` bursts, and `flood` updates as fast as possible.
    """

    sockets: int
    rounds: int
    steady_s: float
    bursts: int
    flood: int


WHOLE = Size(SOCKETS, 5, 8.0, 8, 300)
QUICK = Size(200, 1, 1.6, 3, 60)


class Spent(NamedTuple):
    """The figures of one phase (steady, burst or flood).

    `us`: CPU of the workers per received message. `store_us`: CPU of the store per update. `p50_ms` and
    `p99_ms`: the time until a socket read an update. `last_p50_ms`: the time until the last of all sockets has
    read it. `per_s`: received messages per second.
    """

    us: float
    store_us: float
    p50_ms: float
    p99_ms: float
    last_p50_ms: float
    per_s: float


PHASES = {
    "steady": (
        f"fan-out at {RATE:.0f} events/s",
        {"socket.io": 1.4, "python-socketio": 5.0},
    ),
    "burst": (f"fan-out in bursts of {BURST}", {"socket.io": 4.5, "python-socketio": 18.0}),
    "flood": ("fan-out as fast as it goes", {}),
}
"""Phase -> (its name, a map: other server -> the lowest ratio of its CPU to ours that is allowed)."""

Played = Field[dict[str, Spent]]
"""The results of each server's turns; each turn is a map from the phase to its figures."""


def measure(ours: BenchServer, size: Size, others: Sequence[str], say: Say, progress: Tell) -> Made:
    """Measure all phases on our server and the `others`; return the comparisons.

    `size`: how much is measured. `say` prints a line. `progress`: called with the progress (0.0 to 1.0). Raises
    ChildError if the process of the clients fails.
    """
    with stacks(ours, others, (min(PEOPLE, size.sockets), size.sockets, MAKERS), say) as company:
        played: Played = Child(listen, company.stacks, size).result(LIMIT_S, progress)
        skipped = [*company.skipped, *played.out]
        bare_us = bare.write_us(size.sockets // 2, RATE, size.steady_s)
        return Made(
            _figures(played, size, bare_us), _comparisons(played, size), [], skipped, company.versions
        )


def _figures(played: Played, size: Size, bare_us: float) -> list[Figure]:
    note = f"{size.sockets} sockets on two workers, rows of the queue as JSON"
    steady = f"fan-out at {RATE:.0f} events/s, CPU a delivery"
    us = _ours(played, "steady", "us")
    return [
        Figure("fanout_us", steady, us, "µs", 10.0, note),
        Figure("fanout_bare_us", "a bare write to as many sockets, CPU each", bare_us, "µs"),
        Figure("fanout_times_bare", f"{steady}, times a bare write", us / bare_us, "×", BARE, BARE_NOTE),
        Figure(
            "fanout_burst_us",
            f"fan-out in bursts of {BURST}, CPU a delivery",
            _ours(played, "burst", "us"),
            "µs",
        ),
        Figure(
            "fanout_flood_us",
            "fan-out as fast as it goes, CPU a delivery",
            _ours(played, "flood", "us"),
            "µs",
        ),
        Figure(
            "fanout_last_p50_ms",
            "the last of all sockets hears it, p50",
            _ours(played, "steady", "last_p50_ms"),
            "ms",
        ),
        Figure(
            "fanout_store_us",
            f"fan-out at {RATE:.0f} events/s, the store’s CPU for one event",
            _ours(played, "steady", "store_us"),
            "µs",
            STORE_TARGET_US,
        ),
    ]


def _ours(played: Played, phase: str, field: str) -> float:
    return statistics.median(_column(played, phase, field)[OURS])


def _column(played: Played, phase: str, field: str) -> dict[str, list[float]]:
    return played.column(lambda turn: float(getattr(turn[phase], field)))


def _comparisons(played: Played, size: Size) -> list[Comparison]:
    made = []
    note = f"{size.sockets} sockets, two workers, {times(size.rounds, 'round')}"
    for phase, (name, targets) in PHASES.items():
        for id, field, what, unit in (
            ("us", "us", "CPU a delivery", "µs"),
            ("store_us", "store_us", "the store’s CPU an event", "µs"),
            ("p50_ms", "p50_ms", "heard after, p50", "ms"),
            ("p99_ms", "p99_ms", "heard after, p99", "ms"),
        ):
            first = field == "us"
            made.append(
                compared(
                    f"fanout_{phase}_{id}",
                    f"{name}: {what}",
                    unit,
                    _column(played, phase, field),
                    targets if first else None,
                    note if first else "",
                )
            )
    return made


def listen(tell: Tell, found: Sequence[Stack], size: Size) -> Played:
    """Play all clients of the servers `found` in this child process; return the results of each server's turns.

    `tell`: called with the progress (0.0 to 1.0). `size`: how much is measured.
    """
    return uvloop.run(_listen(tell, found, size))


async def _listen(tell: Tell, found: Sequence[Stack], size: Size) -> Played:
    clients = await companies(found)
    stacks_by_name = {stack.name: stack for stack in found}
    audiences: dict[str, Audience] = {}
    field: Played = Field(stacks_by_name)

    async def enter(name: str) -> None:
        audiences[name] = await Audience.enter(stacks_by_name[name], clients[name], size.sockets)
        tell(0.3 * len(audiences) / len(found))

    async def turn(name: str) -> dict[str, Spent]:
        audience = audiences[name]
        return {
            "steady": await audience.spend(round(size.steady_s * RATE), 1, RATE),
            "burst": await audience.spend(size.bursts, BURST, RATE),
            "flood": await audience.flood(size.flood),
        }

    await field.each(enter)
    await asyncio.sleep(SETTLE_S)
    await field.each(
        lambda name: audiences[name].spend(3, 1, RATE)
    )  # The first updates create everything that is made at first use, before anything is measured.
    await field.play(size.rounds, turn, lambda part: tell(0.3 + 0.7 * part))
    return field


class Audience:
    """The sockets that are subscribed to one server's queue, with the number of updates that each has received."""

    def __init__(self, stack: Stack, marker: bytes) -> None:
        self._stack = stack
        self._marker = marker
        self._makers: list[Act] = []
        self._made = 0
        self._sent_ns: list[int] = []
        self._count: dict[Any, int] = {}
        self._late_ns: list[int] = []
        self._last_ns = 0
        self._heard = 0
        self._wanted = 0
        self._wake = asyncio.Event()

    @classmethod
    async def enter(cls, stack: Stack, company: Company, sockets: int) -> "Audience":
        """Connect `sockets` clients to the server of `stack`, and subscribe them to its queue.

        `company`: makes clients that follow the protocol of this server.
        Raises PeerError if the server refuses one, OSError or TimeoutError if it does not answer.
        """
        audience = cls(stack, company.news)
        audience._count = dict.fromkeys(await company.audience(sockets, audience.news), 0)
        audience._makers = await company.makers(MAKERS)
        return audience

    def news(self, wire: Any, payload: bytes, now_ns: int) -> None:
        """Count the message `payload` that `wire` has read at `now_ns` (monotonic), if it is an update of the queue.

        The n-th update that a socket receives is the n-th that was made, because none is lost.
        """
        if self._marker not in payload or wire not in self._count:
            return
        number = self._count[wire]
        self._count[wire] = number + 1
        self._late_ns.append(now_ns - self._sent_ns[number])
        self._last_ns = now_ns
        self._heard += 1
        if self._heard >= self._wanted:
            self._wake.set()

    async def spend(self, times: int, at_once: int, rate: float) -> Spent:
        """Make `at_once` updates `times` times, at most `rate` times a second, and wait each time until all sockets
        have read them; return the figures.
        """
        loop = asyncio.get_running_loop()
        began, last_ns = loop.time(), []

        async def play() -> None:
            for number in range(times):
                await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
                sent = time.monotonic_ns()
                for _ in range(at_once):
                    self._act()
                await self._heard_by_all(len(self._sent_ns))
                last_ns.append(self._last_ns - sent)

        return await self._spent(play, last_ns)

    async def flood(self, events: int) -> Spent:
        """Make `events` updates as fast as possible, and return their figures.

        At most IN_FLIGHT updates are on their way at the same time: before the next update, wait until all
        sockets have read the oldest of them.
        """

        async def play() -> None:
            for number in range(events):
                if number >= IN_FLIGHT:
                    await self._heard_by_all(number - IN_FLIGHT + 1)
                self._act()
            await self._heard_by_all(events)

        return await self._spent(play, [])

    def _act(self) -> None:
        self._sent_ns.append(time.monotonic_ns())
        self._makers[self._made % len(self._makers)]()
        self._made += 1

    async def _heard_by_all(self, events: int) -> None:
        self._wanted = events * len(self._count)
        while self._heard < self._wanted:
            self._wake.clear()
            try:
                async with asyncio.timeout(ARRIVE_S):
                    await self._wake.wait()
            except TimeoutError:
                missing = self._wanted - self._heard
                raise PeerError(
                    f"{self._stack.name}: {missing} of {self._wanted} deliveries are missing"
                ) from None

    async def _spent(self, play: Callable[[], Any], last_ns: list[int]) -> Spent:
        self._count = dict.fromkeys(self._count, 0)
        self._sent_ns, self._late_ns, self._heard = [], [], 0
        began = time.monotonic()
        used, used_store = cpu_ns(self._stack.workers), cpu_ns([self._stack.store])
        await play()
        used, used_store = cpu_ns(self._stack.workers) - used, cpu_ns([self._stack.store]) - used_store
        return Spent(
            us=used / 1e3 / self._heard,
            store_us=used_store / 1e3 / len(self._sent_ns),
            p50_ms=percentile(self._late_ns, 50) / 1e6,
            p99_ms=percentile(self._late_ns, 99) / 1e6,
            last_p50_ms=percentile(last_ns, 50) / 1e6,
            per_s=self._heard / (time.monotonic() - began),
        )
