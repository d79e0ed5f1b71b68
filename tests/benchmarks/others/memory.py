"""Measures the memory of an idle socket on one worker of each server, as growth of resident memory.

All sockets are accepted and then silent. The sockets of our server have sent hello; those of the other servers are
in no room. Each stack has a new process, and the stacks are measured one after another.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

import uvloop

from tests.benchmarks.figures import Made, compared
from tests.benchmarks.others.companies import Other
from tests.benchmarks.others.setup import Say
from tests.benchmarks.others.stacks import OURS, Stack, stacks
from tests.benchmarks.peers import AT_ONCE, enter_all, no_news
from tests.benchmarks.process import Child, resident_bytes
from tests.benchmarks.server import BenchServer
from tests.benchmarks.wire import TimedWire

EARLY = 0.3
SETTLE_S = 1.5
LIMIT_S = 300.0
SOCKETS, FEW = 1000, 200
Tell = Callable[[float], None]


def measure(ours: BenchServer, sockets: int, others: Sequence[str], say: Say, progress: Tell) -> Made:
    """Connect `sockets` clients to our server and to each of the `others`; return the comparison.

    `say` prints a line. `progress`: called with the progress. Raises ChildError if the process of the clients fails.
    """
    with stacks(ours, others, (20, round(sockets * (1 + EARLY)), 1), say) as company:
        found: dict[str, float] = Child(wait, company.stacks, sockets).result(LIMIT_S, progress)
    one = {name: [value / 1024] for name, value in found.items()}
    note = f"{sockets} sockets on one worker"
    comparison = compared("memory_kb", "memory of an idle socket", "KB", one, None, note)
    return Made([], [comparison], [], company.skipped, company.versions)


def wait(tell: Tell, found: Sequence[Stack], sockets: int) -> dict[str, float]:
    """Connect and hold all clients in this child process, one server after another; return server -> bytes per socket.

    `tell`: called with the progress. `found`: the running servers. `sockets`: the number of clients of each.
    """
    return uvloop.run(_wait(tell, found, sockets))


async def _wait(tell: Tell, found: Sequence[Stack], sockets: int) -> dict[str, float]:
    grown = {}
    for number, stack in enumerate(found):
        # The first sockets stay open and are not measured: they use the memory that a worker allocates only
        # once, and make its heap large. A small heap may shrink during the measurement.
        early = await _enter(stack, round(sockets * EARLY))
        before = await _resident(stack)
        here = await _enter(stack, sockets)
        grown[stack.name] = (await _resident(stack) - before) / sockets
        for wire in (*early, *here):
            wire.abort()
        tell((number + 1) / len(found))
    return grown


async def _resident(stack: Stack) -> int:
    """Return the memory in bytes of a server's workers while they are idle.

    The other servers collect garbage before their memory is read.
    """
    await asyncio.sleep(SETTLE_S)
    if stack.name != OURS:
        for pid in stack.workers:
            os.kill(pid, signal.SIGUSR2)
        await asyncio.sleep(SETTLE_S)
    return resident_bytes(stack.workers)


async def _enter(stack: Stack, number: int) -> Sequence[TimedWire]:
    if stack.staff:
        return await enter_all(stack.endpoints[0], stack.staff[-number:], text=True)
    endpoint = stack.endpoints[0]
    wires = [Other(endpoint.host, endpoint.port, no_news, stack.speaks == "socket.io") for _ in range(number)]
    for start in range(0, number, AT_ONCE):
        await asyncio.gather(*(wire.enter() for wire in wires[start : start + AT_ONCE]))
    return wires
