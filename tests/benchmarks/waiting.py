"""Measures ten thousand waiting patients on one worker: the time to open the queue, and the cost of a claim.

The worker has 10, 100, 1,000 and then 10,000 visits in one queue. Ten members of staff subscribe to the queue. One
patient's page, or every patient's, subscribes to its visit and its place in the queue. The results are the time from
the subscription until the whole queue is read, the time from a claim to its arrival at the patient's page, and the
worker's CPU for a claim with its release.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import uvloop

from tests.benchmarks import visits
from tests.benchmarks.figures import Figure, Made, Point, percentile
from tests.benchmarks.peers import (
    AT_ONCE,
    Endpoint,
    Login,
    Peer,
    answers,
    enter,
    enter_all,
    no_news,
    refuse_errors,
)
from tests.benchmarks.process import Child, cpu_ns
from tests.benchmarks.server import BenchServer
from tests.limits import WAIT_S
from web.config import Settings

LISTENING = 10
SETTLE_S = 1.0
PAUSE_S = 0.01
ARRIVE_S = WAIT_S
LIMIT_S = 1800.0
OPEN_TARGET_MS = 1000.0
CLAIM_TARGET_MS = 4.0
GROWTH_TARGET = 1.5  # two measurements of the same figure may differ by half, so this growth is allowed
Tell = Callable[[float], None]


class Size(NamedTuple):
    """The size of a run. `waiting`: the number of waiting patients at each step; per step, the queue is opened `opens`
    times, and a patient is claimed `claims` times.
    """

    waiting: tuple[int, ...]
    opens: int
    claims: int


WHOLE = Size((10, 100, 1000, 10_000), 5, 100)
QUICK = Size((10, 100, 1000), 3, 30)


def measure(server: BenchServer, size: Size, progress: Tell, *, pages: bool = False) -> Made:
    """Fill the queue step by step and measure each step; return the figures. `progress`: called with the progress.

    `size`: how much is measured. If `pages`, each patient has a page open. Raises ChildError if the process of the
    clients fails.
    """
    staff = server.staff(LISTENING, LISTENING)
    curve: list[Point] = Child(
        fill, server.settings, server.endpoint, staff, server.workers, size, pages
    ).result(LIMIT_S, progress)
    return Made(_with_pages(curve[-1]) if pages else _figures(curve[0], curve[-1]), curve=curve)


def _figures(first: Point, last: Point) -> list[Figure]:
    many = f"with {last.waiting:,} waiting"
    claim, cpu = f"claim to the patient’s page {many}", f"the worker’s CPU for a claim and its release {many}"
    return [
        Figure("waiting_open_ms", f"the queue opens {many}", last.open_ms, "ms", OPEN_TARGET_MS),
        Figure("waiting_p50_ms", f"{claim}, p50", last.claim_p50_ms, "ms"),
        Figure("waiting_p99_ms", f"{claim}, p99", last.claim_p99_ms, "ms", CLAIM_TARGET_MS),
        Figure("waiting_us", cpu, last.claim_us, "µs"),
        Figure(
            "waiting_growth",
            f"{cpu}, times what it is with {first.waiting}",
            last.claim_us / first.claim_us,
            "×",
            GROWTH_TARGET,
        ),
    ]


def _with_pages(last: Point) -> list[Figure]:
    name = f"claim to the patient’s page with {last.waiting:,} waiting, all their pages open"
    return [
        Figure("pages_p50_ms", f"{name}, p50", last.claim_p50_ms, "ms"),
        Figure("pages_p99_ms", f"{name}, p99", last.claim_p99_ms, "ms"),
    ]


class Place(NamedTuple):
    """The server of a measurement: its settings and address, the browsers of its staff, and the process ids of its
    workers.
    """

    settings: Settings
    endpoint: Endpoint
    staff: list[Login]
    workers: list[int]


def fill(
    tell: Tell,
    settings: Settings,
    endpoint: Endpoint,
    staff: list[Login],
    workers: list[int],
    size: Size,
    pages: bool,
) -> list[Point]:
    """Play all clients in this child process; return the figures for each number of waiting patients.

    `tell`: called with the progress. `settings` and `endpoint`: those of the server. `staff`: the browsers
    of the staff. `workers`: process ids. `size`: how much is measured. `pages`: True if each patient has a
    page open.
    """
    return uvloop.run(_fill(tell, Place(settings, endpoint, staff, workers), size, pages))


async def _fill(tell: Tell, place: Place, size: Size, pages: bool) -> list[Point]:
    opened: list[str] = []
    points: list[Point] = []
    present: list[Peer] = []
    for number in size.waiting:
        opened += await visits.open_visits(place.settings, place.endpoint.organisation, number - len(opened))
        tell(0.5 * number / size.waiting[-1] + 0.5 * len(points) / len(size.waiting))
        if pages:
            present += await _pages(place, opened[len(present) :])
        await asyncio.sleep(SETTLE_S)  # in this time the worker handles the events of the new visits
        claimed = opened[len(opened) // 2]
        points.append(await _point(place, claimed, size, number, len(present)))
    for peer in present:
        peer.abort()
    return points


async def _pages(place: Place, opened: Sequence[str]) -> list[Peer]:
    """Return a page for the patient of each visit, subscribed to the visit and to its place in the queue."""
    logins = await visits.patients(place.settings, place.endpoint.organisation, opened)
    peers = await enter_all(place.endpoint, logins, text=True)
    for start in range(0, len(peers), AT_ONCE):
        some = list(zip(peers, opened, strict=True))[start : start + AT_ONCE]
        asked = [p.ask("subscribe", topic=f"{what}/{v}") for p, v in some for what in ("visit", "place")]
        for answer in await answers(asked):
            refuse_errors(answer)
    return peers


async def _point(place: Place, visit: str, size: Size, number: int, pages: int) -> Point:
    _, endpoint, staff, workers = place
    patient = (await visits.patients(place.settings, place.endpoint.organisation, [visit]))[0]
    open_ms = []
    listening: list[Peer] = []
    for at in range(max(size.opens, len(staff))):
        peer = await enter(endpoint, staff[at % len(staff)], no_news, text=True)
        sent = time.monotonic_ns()
        async with asyncio.timeout(ARRIVE_S):
            # The queue's content may come just after the answer to this request; the answer to the ping comes after
            # the content.
            refuse_errors(await peer.ask("subscribe", topic="queue"))
            refuse_errors(await peer.ask("ping"))
        open_ms.append((time.monotonic_ns() - sent) / 1e6)
        listening.append(peer)
    knew: dict[str, asyncio.Future[int]] = {}

    def news(page: Peer, payload: bytes, now_ns: int) -> None:
        waits = knew.get("claimed" if b'"claimed"' in payload else "queued")
        if b'"visit.state"' in payload and waits is not None and not waits.done():
            waits.set_result(now_ns)

    page = await enter(endpoint, patient, news, text=True)
    for topic in (f"visit/{visit}", f"place/{visit}"):
        refuse_errors(await page.ask("subscribe", topic=topic))
    provider = listening[0]
    refuse_errors(await provider.ask("on_call", on=True))
    late_ms: list[float] = []

    async def claim() -> None:
        loop = asyncio.get_running_loop()
        knew["claimed"], knew["queued"] = loop.create_future(), loop.create_future()
        sent = time.monotonic_ns()
        refuse_errors(await provider.ask("visit.claim", visit=visit))
        async with asyncio.timeout(ARRIVE_S):
            late_ms.append((await knew["claimed"] - sent) / 1e6)
        refuse_errors(await provider.ask("visit.release", visit=visit))
        async with asyncio.timeout(ARRIVE_S):
            await knew["queued"]
        await asyncio.sleep(PAUSE_S)

    for _ in range(5):
        await claim()
    late_ms.clear()
    used = cpu_ns(workers)
    for _ in range(size.claims):
        await claim()
    used = cpu_ns(workers) - used
    for peer in (page, *listening):
        peer.abort()
    return Point(
        waiting=number,
        pages=pages,
        open_ms=percentile(open_ms, 50),
        claim_p50_ms=percentile(late_ms, 50),
        claim_p99_ms=percentile(late_ms, 99),
        claim_us=used / 1e3 / size.claims,
    )
