"""Measures the memory of an idle socket: a thousand people on one worker send hello, and then nothing.

Half of them are staff, half are pages of patients. The result is the growth of the worker's resident memory per
socket: once after hello, and once after each has subscribed to a topic (staff to the queue, the patient to the visit).
"""

import asyncio
from collections.abc import Callable

import uvloop

from tests.benchmarks.figures import Figure, Made
from tests.benchmarks.peers import Endpoint, Login, Peer, answers, enter_all, refuse_errors
from tests.benchmarks.process import Child, cpu_ns, resident_bytes
from tests.benchmarks.server import BenchServer

SOCKETS = 1000
# This number of sockets is opened and closed first, so that the measured sockets use memory that was freed.
WARM_UP = 10
PEOPLE = 20
SETTLE_S = 1.0
QUIET_S = 5.0
LIMIT_S = 120.0
Tell = Callable[[float], None]


def measure(server: BenchServer, sockets: int, progress: Tell) -> Made:
    """Connect `sockets` clients to the server; return the memory and CPU of its worker. `progress`: called with the
    progress.

    Raises ChildError if the process of the clients fails.
    """
    staff = server.staff(PEOPLE, sockets // 2 + WARM_UP)
    patient, visit = server.patient()
    silent, subscribed, busy = Child(
        wait_about, server.endpoint, staff, patient, visit, sockets, server.workers
    ).result(LIMIT_S, progress)
    note = f"{sockets} on one worker"
    return Made(
        [
            Figure("idle_kb", "memory of an idle socket", silent / 1024, "KB", 9.6, note),
            Figure(
                "idle_subscribed_kb", "memory of an idle socket that hears a topic", subscribed / 1024, "KB"
            ),
            Figure("idle_cpu_percent", f"CPU of a worker with {sockets} idle sockets", busy * 100, "%"),
        ]
    )


def wait_about(
    tell: Tell,
    endpoint: Endpoint,
    staff: list[Login],
    patient: Login,
    visit: str,
    sockets: int,
    workers: list[int],
) -> tuple[float, float, float]:
    """Keep `sockets` sockets open in this child process; return (bytes per socket after hello, bytes per socket after
    subscribing, the share of a core that the worker uses then).

    `tell`: called with the progress (0.0 to 1.0). `staff`, `patient`: the browsers that connect. `workers`: the
    process ids of the server.
    """
    return uvloop.run(_wait_about(tell, endpoint, staff, patient, visit, sockets, workers))


async def _wait_about(
    tell: Tell,
    endpoint: Endpoint,
    staff: list[Login],
    patient: Login,
    visit: str,
    sockets: int,
    workers: list[int],
) -> tuple[float, float, float]:
    # Memory that a worker allocates only once must not count: some sockets connect, subscribe and close before the
    # measurement.
    early = await enter_all(endpoint, [*staff[:WARM_UP], patient])
    await _subscribe(early, visit)
    for peer in early:
        await peer.bye()
    await asyncio.sleep(SETTLE_S)
    before = resident_bytes(workers)
    half = sockets // 2
    peers = await enter_all(
        endpoint, [*staff[WARM_UP:], *[patient] * (sockets - half)], tell=lambda part: tell(part * 0.7)
    )
    await asyncio.sleep(SETTLE_S)
    silent = resident_bytes(workers)
    await _subscribe(peers, visit)
    await asyncio.sleep(SETTLE_S)
    subscribed = resident_bytes(workers)
    tell(0.9)
    used = cpu_ns(workers)
    await asyncio.sleep(QUIET_S)
    busy = (cpu_ns(workers) - used) / 1e9 / QUIET_S
    return (silent - before) / len(peers), (subscribed - before) / len(peers), busy


async def _subscribe(peers: list[Peer], visit: str) -> None:
    topics = {"staff": "queue", "patient": f"visit/{visit}"}
    for start in range(0, len(peers), 100):
        asked = [peer.ask("subscribe", topic=topics[peer.login.role]) for peer in peers[start : start + 100]]
        for answer in await answers(asked):
            refuse_errors(answer)
