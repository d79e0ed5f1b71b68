"""Measures the unit costs of the simulation of a cluster, and compares one more run with what the simulation says.

`python -m tests.benchmarks.scale_run` starts real servers with one store each and several workers, one after another.
All results are CPU times of the workers and of the store, so that other work on the machine changes them little.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from signalling.store.encryption import Seal
from signalling.store.records import Store
from tests.benchmarks import visits
from tests.benchmarks.process import cpu_ns
from tests.benchmarks.scale import SWEEP_S, Cluster, Costs, play
from tests.benchmarks.server import BenchServer, running_server
from web.config import Settings
from web.organisations import demo
from web.organisations.documents import Organisations
from web.server.data_key import data_key, key_id
from web.server.redis_client import connect

SECONDS = 10.0
SETTLE_S = 4.0


class Shares(NamedTuple):
    """How busy a worker (the mean of all) and the store were, as shares of one core."""

    worker: float
    node: float

    def __sub__(self, other: Shares) -> Shares:
        """Return these shares less the shares `other`."""
        return Shares(self.worker - other.worker, self.node - other.node)


class Run(NamedTuple):
    """A run: how busy the servers were without a visit, and with `rate` commits a second."""

    workers: int
    clinics: int
    rate: float
    idle: Shares
    busy: Shares


def measure(workers: int, clinics: int, rate: float) -> Run:
    """Start a server with this number of workers and clinics; return how busy it is idle and with `rate` visits a
    second.
    """
    with running_server(workers) as server:
        asyncio.run(_make_clinics(server.settings, clinics))
        time.sleep(SETTLE_S)
        idle = _shares(server, lambda: time.sleep(SECONDS))
        busy = _shares(server, lambda: asyncio.run(_open(server.settings, clinics, rate)))
    return Run(workers, clinics, rate, idle, busy)


def _shares(server: BenchServer, act: Callable[[], None]) -> Shares:
    """Return how busy the workers and the store of `server` are while `act` runs."""
    begun_s, workers_ns, store_ns = time.monotonic(), cpu_ns(server.workers), cpu_ns([server.store])
    act()
    ns = (time.monotonic() - begun_s) * 1e9
    worker = (cpu_ns(server.workers) - workers_ns) / ns / len(server.workers)
    return Shares(worker, (cpu_ns([server.store]) - store_ns) / ns)


def _name(number: int) -> str:
    return f"bench{number}"


async def _make_clinics(settings: Settings, clinics: int) -> None:
    client = connect(settings)
    try:
        store = _store(client, settings)
        for number in range(clinics):
            clinic = msgspec.structs.replace(demo.ORGANISATION, id=_name(number), name=f"Bench {number}")
            await Organisations(client).save(clinic)
            await store.keep_guide(clinic.id, clinic.guide)
    finally:
        await client.aclose()


def _store(client: Any, settings: Settings) -> Store:
    key = data_key(Path(settings.data.folder))
    return Store(client, Seal({key_id(key): key}))


async def _open(settings: Settings, clinics: int, rate: float) -> None:
    """Open `rate` visits a second for SECONDS, in turn in `clinics` clinics. `settings`: the settings of the server."""
    client = connect(settings)
    try:
        store, begun_s = _store(client, settings), time.monotonic()
        for number in range(round(SECONDS * rate)):
            await asyncio.sleep(max(0.0, begun_s + number / rate - time.monotonic()))
            await visits.open_visit(store, _name(number % clinics))
    finally:
        await client.aclose()


def costs_of(one: Run, many: Run, three: Run) -> tuple[Costs, float]:
    """Return the unit costs in µs from three runs, and the share of a core that a worker without clinics takes.

    `one`: one worker and one clinic; `many`: one worker and many clinics; `three`: three workers and as many
    clinics. The CPU of the store for the delivery of an event to a worker (`node_event`) is too small to be
    measured in this way, so `node_event` keeps its default value.
    """
    swept, sweeps_s = many.idle - one.idle, (many.clinics - one.clinics) / SWEEP_S
    by_one, by_three = many.busy - many.idle, three.busy - three.idle
    # Each worker handles each event, but one part of the work (`event_once`) is done by only one of the
    # workers. With three workers, each of them does this part for a third of the events.
    once_us = (
        (by_one.worker / many.rate - by_three.worker / three.rate) * three.workers / (three.workers - 1) * 1e6
    )
    costs = Costs(
        command=0.0,
        event=by_one.worker / many.rate * 1e6 - once_us,
        event_once=once_us,
        sweep=swept.worker / sweeps_s * 1e6,
        node_commit=by_one.node / many.rate * 1e6 - Costs().node_event,
        node_sweep=swept.node / sweeps_s * 1e6,
    )
    return costs, one.idle.worker - one.clinics / SWEEP_S * costs.sweep * 1e-6


def simulated(run: Run, costs: Costs, base: float) -> Shares:
    """Return how busy the servers of `run` are in the simulation, as shares of a core.

    `costs`: the cost of each kind of work. `base`: the share that a worker without clinics uses.
    """
    cluster = Cluster(run.workers, run.clinics, waiting=round(run.rate), wait_s=1.0, talk_s=0.0, commits=1)
    cluster = cluster._replace(deliveries=0.0)
    found = play(cluster, costs, seconds=SECONDS)
    return Shares(found.worker + base, found.node)


def main() -> None:
    """Measure, and print the unit costs and the comparison."""
    costs, base = costs_of(measure(1, 1, 100.0), measure(1, 100, 100.0), measure(3, 100, 100.0))
    print(f"{costs}\na worker without clinics: {base:.1%}")
    for workers, clinics, rate in ((2, 50, 100.0), (4, 100, 50.0)):
        run = measure(workers, clinics, rate)
        said = simulated(run, costs, base)
        print(
            f"{workers} workers, {clinics} clinics, {rate:.0f} commits/s: a worker {run.busy.worker:.1%}, simulated "
            f"{said.worker:.1%}; the store {run.busy.node:.1%}, simulated {said.node:.1%}"
        )


if __name__ == "__main__":
    main()
