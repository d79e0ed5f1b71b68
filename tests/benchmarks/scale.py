"""Plays a cluster of many workers: the queueing of commits, the events to all workers, the sweeps, and the media.

`python -m tests.benchmarks.scale` prints the tables of docs/SCALE.md. It is a discrete-event simulation, in
which each worker and each node of the store is a server with one queue (first come, first served); the same
seed gives the same run. It plays all nodes of the store and a few of the workers, because every worker receives
the same events. The unit costs are measured CPU times: `scale_run.py` measures them, and compares further runs
with the simulation. Does no I/O and reads no clock.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PLAYED = 4
"""The number of workers that are played; the others only cause load at the nodes."""
MEDIA_TICK_S = 0.005
SWEEP_S = 0.5
EACH, SHOWN_S, ELSEWHERE_S = 3, 1.5, 10.0
"""EACH workers check a clinic every SWEEP_S seconds (`signalling/sweep.py`). Another worker checks it every
SHOWN_S seconds if it has connections of the clinic, otherwise every ELSEWHERE_S seconds."""


class Costs(NamedTuple):
    """CPU times in µs, and sizes in bytes.

    `command`: of the worker that carries a command out. `event`: of each worker that receives the event of a commit;
    `event_once`: what one of the workers does because of it, such as its entry in the audit log. `delivery`: of a
    message to a socket. `packet`: of a forwarded packet. `sweep`: of one organisation in one sweep (every SWEEP_S).
    `node_commit`: of the store's node for a commit and the other commands that it causes; `node_event`: of
    the node for each worker to which it sends the event; `node_sweep`: of the node for one organisation in
    one sweep of one worker. `visit_bytes`: an open visit in the memory of each worker. `event_bytes`: an
    event on the network.
    """

    command: float = 600.0
    event: float = 394.0
    event_once: float = 304.0
    delivery: float = 8.7
    packet: float = 16.7
    sweep: float = 117.0
    node_commit: float = 471.0
    node_event: float = 4.1
    node_sweep: float = 14.0
    visit_bytes: int = 2_800
    event_bytes: int = 1_200


class Cluster(NamedTuple):
    """A cluster and its load.

    `cells`: the number of independent parts; each has an equal share of everything else, and a store of its own.
    `wait_s` and `talk_s`: how long a patient waits and talks. `commits`: the number for one visit. `deliveries`: the
    number of messages to sockets that one commit causes. `packets`: the number in one call per second.
    """

    workers: int
    clinics: int
    waiting: int
    nodes: int = 1
    cells: int = 1
    wait_s: float = 1800.0
    talk_s: float = 600.0
    commits: int = 40
    deliveries: float = 25.0
    packets: int = 320

    @property
    def commits_s(self) -> float:
        """The number of commits a second in all visits, if as many visits begin in a second as end."""
        return self.waiting / self.wait_s * self.commits

    @property
    def calls(self) -> float:
        """The number of calls at the same time."""
        return self.waiting / self.wait_s * self.talk_s

    @property
    def looks_s(self) -> float:
        """The number of checks of a clinic by a worker in a second, for all clinics and workers.

        In every sweep, EACH workers check a clinic. Of the other workers, those that have sockets of the clinic
        check it every SHOWN_S seconds, and those without such sockets every ELSEWHERE_S seconds. A clinic has a
        socket for each waiting patient, on a random worker.
        """
        few = min(EACH, self.workers)
        shown = self.workers * (1 - (1 - 1 / self.workers) ** (self.waiting / self.clinics))
        shown = max(0.0, float(shown) - few)
        looks_s: float = few / SWEEP_S + shown / SHOWN_S + (self.workers - few - shown) / ELSEWHERE_S
        return float(self.clinics * looks_s)

    @property
    def cell(self) -> Cluster:
        """One cell (independent part) of the cluster, as a cluster of its own."""
        share = self._replace(cells=1, workers=math.ceil(self.workers / self.cells))
        return share._replace(
            clinics=math.ceil(self.clinics / self.cells),
            waiting=math.ceil(self.waiting / self.cells),
            nodes=math.ceil(self.nodes / self.cells),
        )


class Load(NamedTuple):
    """The load of a worker and of a node of the store: cause -> share of one core.

    Also the memory of a worker, and the bytes that a node sends in a second.
    """

    worker: dict[str, float]
    node: dict[str, float]
    worker_memory_bytes: float
    node_bytes_s: float


def load(cluster: Cluster, costs: Costs) -> Load:
    """Return the mean load, calculated without a simulation.

    Work that each worker does for all clinics grows with the size of the cluster.
    """
    one = cluster.cell
    commits_s, us = one.commits_s, 1e-6
    return Load(
        worker={
            "commands": commits_s / one.workers * (costs.command + costs.event_once) * us,
            "events": commits_s * costs.event * us,
            "fan-out": commits_s * one.deliveries / one.workers * costs.delivery * us,
            "sweep": one.looks_s / one.workers * costs.sweep * us,
            "media": one.calls / one.workers * one.packets * costs.packet * us,
        },
        node={
            "commits": commits_s / one.nodes * costs.node_commit * us,
            "events": commits_s / one.nodes * one.workers * costs.node_event * us,
            "sweeps": one.looks_s / one.nodes * costs.node_sweep * us,
        },
        worker_memory_bytes=one.waiting * costs.visit_bytes,
        node_bytes_s=commits_s / one.nodes * one.workers * costs.event_bytes,
    )


class Queue:
    """A simulated worker or node, which does one job at a time.

    `busy_s`: the time in s that it has worked.
    """

    def __init__(self) -> None:
        self.free_s = self.busy_s = 0.0

    def serve(self, at_s: float, cost_us: float) -> float:
        """Add a job that comes at `at_s`, after all earlier jobs, and needs `cost_us`; return the time in s at which
        it is done.
        """
        self.free_s = max(at_s, self.free_s) + cost_us * 1e-6
        self.busy_s += cost_us * 1e-6
        return self.free_s


class Played(NamedTuple):
    """The result of a run. `worker` and `node`: the share of a core that the busiest worker and node of the store use.

    The other fields: the mean, median and 99th percentile of the time in s from a command until a worker has handled
    its event.
    """

    worker: float
    node: float
    mean_s: float
    p50_s: float
    p99_s: float


def play(cluster: Cluster, costs: Costs, seconds: float = 2.0, seed: int = 1) -> Played:
    """Simulate one cell of a cluster for `seconds` of its own time; return how busy it was, and the delays of events.

    `costs`: the cost of each kind of work. `seed`: the seed of the random arrivals.
    """
    one, chance = cluster.cell, random.Random(seed)
    workers = [Queue() for _ in range(min(PLAYED, one.workers))]
    nodes = [Queue() for _ in range(one.nodes)]
    fan_out_us = one.deliveries / one.workers * costs.delivery
    latencies: list[float] = []
    # (time, number, kind, worker, node, time of the command); the number keeps events of the same time in order
    events: list[tuple[float, int, str, int, int, float]] = []
    number = 0

    def put(at_s: float, kind: str, worker: int = 0, node: int = 0, begun_s: float = 0.0) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (at_s, number, kind, worker, node, begun_s))

    for at_s in _arrivals(one.commits_s, seconds, chance):
        put(at_s, "command", chance.randrange(one.workers), chance.randrange(one.nodes), at_s)
    for worker in range(one.workers):
        phase_s = chance.uniform(0, SWEEP_S)
        for number_of_sweep in range(math.ceil(seconds / SWEEP_S)):
            put(phase_s + number_of_sweep * SWEEP_S, "sweep", worker)
    for worker in range(len(workers)):
        for tick in range(math.ceil(seconds / MEDIA_TICK_S)):
            put(tick * MEDIA_TICK_S, "media", worker)
    looks = one.looks_s / one.workers * SWEEP_S
    packets = one.calls / one.workers * one.packets * MEDIA_TICK_S
    while events:
        at_s, _, kind, worker, node, begun_s = heapq.heappop(events)
        if at_s >= seconds:
            break
        if kind == "command":
            played = workers[worker] if worker < len(workers) else Queue()
            put(played.serve(at_s, costs.command + costs.event_once), "commit", worker, node, begun_s)
        elif kind == "commit":
            done_s = nodes[node].serve(at_s, costs.node_commit + one.workers * costs.node_event)
            for receiver in range(len(workers)):
                put(done_s, "event", receiver, node, begun_s)
        elif kind == "event":
            done_s = workers[worker].serve(at_s, costs.event + fan_out_us)
            if worker == 0:
                latencies.append(done_s - begun_s)
        elif kind == "media":
            workers[worker].serve(at_s, packets * costs.packet)
        else:  # a sweep asks all nodes in one turn of the loop, and handles the answers in another
            for asked in nodes:
                asked.serve(at_s, looks / one.nodes * costs.node_sweep)
            if worker < len(workers):
                workers[worker].serve(at_s, looks * costs.sweep)
    latencies.sort()
    return Played(
        worker=max(queue.busy_s for queue in workers) / seconds,
        node=max(queue.busy_s for queue in nodes) / seconds,
        mean_s=sum(latencies) / max(1, len(latencies)),
        p50_s=_quantile(latencies, 0.5),
        p99_s=_quantile(latencies, 0.99),
    )


def _arrivals(rate: float, seconds: float, chance: random.Random) -> Iterator[float]:
    """Yield the times in s, below `seconds`, of a Poisson process with `rate` events per second.

    `chance`: the source of the random numbers.
    """
    at_s = chance.expovariate(rate) if rate else seconds
    while at_s < seconds:
        yield at_s
        at_s += chance.expovariate(rate)


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


CLUSTERS = {
    "1 worker, 1 clinic": Cluster(1, 1, 100),
    "10 workers, 10 clinics": Cluster(10, 10, 1_000),
    "14 workers (16 cores), 30 clinics": Cluster(14, 30, 1_400),
    "50 workers, 50 clinics": Cluster(50, 50, 5_000),
    "100 workers, 100 clinics, 3 nodes": Cluster(100, 100, 10_000, nodes=3),
    "1,000 workers, 1,000 clinics, 24 nodes": Cluster(1_000, 1_000, 100_000, nodes=24),
    "the same as 20 cells of 50 workers": Cluster(1_000, 1_000, 100_000, nodes=20, cells=20),
}


def table(costs: Costs) -> str:
    """Return the table of docs/SCALE.md as Markdown."""
    head = ["| cluster | commits/s | calls | worker | node | most of it | open visits in a worker's memory "
            "| bytes from a node | p50 | p99 |", "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|"]  # fmt: skip
    return "\n".join([*head, *(_row(name, cluster, costs) for name, cluster in CLUSTERS.items())])


def _row(name: str, cluster: Cluster, costs: Costs) -> str:
    found = load(cluster, costs)
    worker, node = sum(found.worker.values()), sum(found.node.values())
    most = "; ".join(max(shares, key=lambda cause: shares[cause]) for shares in (found.worker, found.node))
    late = "-", "-"
    if max(worker, node) < 1:
        run = play(cluster, costs)
        late = f"{run.p50_s * 1000:.1f} ms", f"{run.p99_s * 1000:.1f} ms"
    return (
        f"| {name} | {cluster.commits_s:,.0f} | {cluster.calls:,.0f} | {worker:.0%} | {node:.0%} | {most} "
        f"| {found.worker_memory_bytes / 1e6:,.0f} MB | {found.node_bytes_s / 1e6:,.1f} MB/s | {late[0]} | {late[1]} |"
    )


if __name__ == "__main__":
    print(table(Costs()))
