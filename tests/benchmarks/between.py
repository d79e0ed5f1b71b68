"""Measures a message from one client to another through the server, on the same worker and between two workers.

Two kinds of message are measured on our server. A chat message is stored and numbered before it is sent. The
message that a microphone is missing is only passed on. The other servers pass on the same number of bytes, and
store nothing. Every server confirms each message to its sender. The results are the time from sending to
reading, with one message at a time, and the CPU of all workers per message while all pairs of clients are
busy.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import uvloop

from tests.benchmarks.figures import Comparison, Figure, Made, compared, percentile, times
from tests.benchmarks.others.companies import Pair, Way, companies
from tests.benchmarks.others.setup import Say
from tests.benchmarks.others.stacks import Stack, stacks
from tests.benchmarks.others.turns import Field
from tests.benchmarks.process import Child, cpu_ns
from tests.benchmarks.server import BenchServer
from tests.limits import WAIT_S

ARRIVE_S = WAIT_S
LIMIT_S = 1800.0
TARGETS = {"socket.io": 2.5, "python-socketio": 5.0}
KEPT_TARGETS = {"socket.io": 1.0}
"""Other server -> the lowest ratio (its value divided by ours) that is allowed for chat messages.

Our server stores these messages. The other servers store no message.
"""
WAYS = {
    Way(False, False): ("muted_one", "passed on, one worker"),
    Way(False, True): ("muted_across", "passed on, across workers"),
    Way(True, False): ("line_one", "kept and passed on, one worker"),
    Way(True, True): ("line_across", "kept and passed on, across workers"),
}
"""Way of a message (stored or not, between workers or not) -> (the id, the name) of its figure."""
Tell = Callable[[float], None]


class Size(NamedTuple):
    """How much a run measures.

    `pairs`: the pairs of clients. `alone`: single messages per round. `each`: messages per pair and round while all
    pairs are busy.
    """

    pairs: int
    rounds: int
    alone: int
    each: int


# With these numbers, no client exceeds the rate of messages that the server allows.
WHOLE = Size(40, 5, 80, 40)
QUICK = Size(10, 1, 20, 20)


class Spent(NamedTuple):
    """The cost of messages: CPU of the workers and of the store per message in µs, and the times in ms from sending to
    reading.
    """

    us: float
    store_us: float
    p50_ms: float
    p99_ms: float


Played = Field[dict[Way, Spent]]


def measure(ours: BenchServer, size: Size, others: Sequence[str], say: Say, progress: Tell) -> Made:
    """Measure messages on our server and on the `others`, in each way of WAYS; return the comparisons.

    `size`: how much is measured. `say` prints a line. `progress`: called with the progress (0.0 to 1.0). Raises
    ChildError if the process of the clients fails.
    """
    with stacks(ours, others, (size.pairs, size.pairs, size.pairs * len(WAYS) + 1), say) as company:
        played: Played = Child(talk, company.stacks, size).result(LIMIT_S, progress)
    made = Made([], [], [], [*company.skipped, *played.out], company.versions)
    for way, (id, name) in WAYS.items():
        columns = {field: _column(played, way, field) for field in Spent._fields}
        note = f"{size.pairs} pairs, {times(size.rounds, 'round')}"
        told = f"socket to socket, {name}"
        made.comparisons += [
            compared(
                f"{id}_us",
                f"{told}: CPU a message",
                "µs",
                columns["us"],
                KEPT_TARGETS if way.kept else TARGETS,
                note,
            ),
            compared(f"{id}_store_us", f"{told}: the store’s CPU", "µs", columns["store_us"]),
            compared(f"{id}_p50_ms", f"{told}: read after, p50", "ms", columns["p50_ms"]),
            compared(f"{id}_p99_ms", f"{told}: read after, p99", "ms", columns["p99_ms"]),
        ]
        made.figures.append(_ours(made.comparisons[-4], note))
    return made


def _column(played: Played, way: Way, field: str) -> dict[str, list[float]]:
    return played.column(lambda turn: float(getattr(turn[way], field)))


def _ours(compared: Comparison, note: str) -> Figure:
    return Figure(compared.id, compared.name, compared.values[0].value, compared.unit, None, note)


def talk(tell: Tell, found: Sequence[Stack], size: Size) -> Played:
    """Play all clients of the servers `found` in this child process; return the results of each server's turns.

    `tell`: called with the progress (0.0 to 1.0). `size`: how much is measured.
    """
    return uvloop.run(_talk(tell, found, size))


async def _talk(tell: Tell, found: Sequence[Stack], size: Size) -> Played:
    clients = await companies(found)
    stacks_by_name = {stack.name: stack for stack in found}
    exchanges: dict[str, dict[Way, Exchange]] = {name: {} for name in stacks_by_name}
    field: Played = Field(stacks_by_name)

    async def enter(name: str) -> None:
        for way in WAYS:
            exchange = exchanges[name][way] = Exchange(stacks_by_name[name])
            exchange.pairs = await clients[name].pairs(size.pairs, way, exchange.heard)
            exchange.marker = clients[name].told
            await exchange.busy(
                10
                # The first exchange creates and compiles everything that is made at first use, so it is not measured.
            )

    async def turn(name: str) -> dict[Way, Spent]:
        return {way: await exchange.spend(size) for way, exchange in exchanges[name].items()}

    await field.each(enter)
    await field.play(size.rounds, turn, tell)
    return field


class Exchange:
    """Exchanges one kind of message between pairs of clients of one server."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.pairs: list[Pair] = []
        self.marker = b""
        self._waits: dict[Any, asyncio.Future[int]] = {}

    def heard(self, wire: Any, payload: bytes, now_ns: int) -> None:
        """Record that `wire`, a client's socket, has read `payload`, if a message is awaited there.

        `now_ns`: the monotonic time.
        """
        if self.marker in payload:
            waiting = self._waits.pop(wire, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(now_ns)

    async def _one(self, pair: Pair) -> int:
        """Send one message; return the time until the other client has read it, in ns.

        Raises TimeoutError after `ARRIVE_S`.
        """
        waiting = self._waits[pair.hears] = asyncio.get_running_loop().create_future()
        sent = time.monotonic_ns()
        pair.tell()
        async with asyncio.timeout(ARRIVE_S):
            read: int = await waiting
        return read - sent

    async def _several(self, pair: Pair, number: int) -> None:
        for _ in range(number):
            await self._one(pair)

    async def busy(self, each: int) -> None:
        """Send `each` messages in each pair, all pairs at the same time; a pair sends its next message when the
        previous message was received.
        """
        await asyncio.gather(*(self._several(pair, each) for pair in self.pairs))

    async def spend(self, size: Size) -> Spent:
        """Measure one round: first single messages, then all pairs at the same time; return the figures."""
        late_ns = []
        for number in range(size.alone):
            late_ns.append(await self._one(self.pairs[number % len(self.pairs)]))
            await asyncio.sleep(0.002)
        used, used_store = cpu_ns(self._stack.workers), cpu_ns([self._stack.store])
        await self.busy(size.each)
        messages = size.each * len(self.pairs)
        return Spent(
            (cpu_ns(self._stack.workers) - used) / 1e3 / messages,
            (cpu_ns([self._stack.store]) - used_store) / 1e3 / messages,
            percentile(late_ns, 50) / 1e6,
            percentile(late_ns, 99) / 1e6,
        )
