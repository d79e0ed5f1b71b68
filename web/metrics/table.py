"""Defines all metrics in one table: name, kind, help text, labels, and a function that reads the values.

docs/OPERATIONS.md shows the table. `scrape.py` collects the values of all workers and writes Prometheus's
format.
"""

from __future__ import annotations

import importlib.metadata
import re
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from aiohttp import web

from signalling import counts
from signalling.counts import Histogram
from signalling.visit.record import Role, Status
from web.keys import AUDIT_LOG, LIVENESS, RELAY, SERVICE, SETTINGS, SIGNALLING, SUPERVISOR
from web.metrics import counts as web_counts

Series = tuple[tuple[str, ...], float | list[Any]]
"""The values of the labels, and the metric's value. For a histogram, the value is a list: the number of
measurements in each interval, then the sum of all measurements."""
Read = Callable[[web.Application], Iterable[Series]]
STARTED_S: Final = time.time()
VERSION: Final = importlib.metadata.version("greenroom")
PAGE_BYTES: Final = resource.getpagesize()
MEMORY: Final = Path("/proc/self/statm")


class Metric(NamedTuple):
    """A metric, a row of the table.

    `read` returns the values from a worker's app. `labels`: the names of the metric's labels, without the label
    `worker`; every metric that is not `shared` has that label, too. `shared`: True if every worker would read the same
    values, so that only the worker that answers a scrape reads them. `bounds`: the upper limits of a histogram's
    intervals.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    read: Read
    labels: tuple[str, ...] = ()
    shared: bool = False
    bounds: tuple[float, ...] = ()

    @property
    def all_labels(self) -> tuple[str, ...]:
        """The names of the metric's labels, `worker` included."""
        return self.labels if self.shared else (*self.labels, "worker")


def _one(value: Callable[[web.Application], float | None]) -> Read:
    """Return a function that reads a metric without labels; the metric has no value while `value` returns None."""

    def read(app: web.Application) -> Iterable[Series]:
        found = value(app)
        return [] if found is None else [((), float(found))]

    return read


def _by(value: Callable[[web.Application], Mapping[Any, float]]) -> Read:
    """Return a function that reads a metric with labels from a map: value of the label -> number.

    If the metric has several labels, the keys of the map are tuples.
    """
    return lambda app: [
        (tuple(map(str, key)) if isinstance(key, tuple) else (str(key),), number)
        for key, number in value(app).items()
    ]


def _counted(name: str, help: str, counter: Mapping[Any, float], *labels: str) -> Metric:
    """Return a row of the table: a metric whose value only grows.

    `help`: the metric's help text. `counter`: the values; it has one key for each combination of values of the
    `labels`. If there are no `labels`, its only key is "".
    """
    read = _by(lambda _: counter) if labels else _one(lambda _: counter.get("", 0))
    return Metric(name, "counter", help, read, labels)


def _histogram(name: str, help: str, *labelled: tuple[str, Histogram], label: str = "") -> Metric:
    """Return a row of the table: a histogram for each value of the label `label`.

    `help`: the help text; `labelled`: (value of the label, its histogram). Without `label`, there is one
    histogram. All histograms must have the same bounds.
    """

    def read(_: web.Application) -> Iterable[Series]:
        return [((value,) if label else (), [*found.numbers, found.total]) for value, found in labelled]

    return Metric(name, "histogram", help, read, (label,) if label else (), bounds=labelled[0][1].bounds)


def _commands(_: web.Application) -> Iterable[Series]:
    for (command, result), number in counts.COMMANDS.items():
        yield (re.sub("(?<=[a-z])(?=[A-Z])", "_", command).lower(), result), number


def _visits(app: web.Application) -> Mapping[str, float]:
    found: Counter[str] = Counter({str(status): 0 for status in Status if status is not Status.ENDED})
    for mirror in app[SERVICE].mirrors:
        found.update(str(visit.status) for visit in mirror.visits.values())
    return found


def _longest_wait(app: web.Application) -> float:
    now_ms = app[SERVICE].clock_ms()
    return max(
        (
            (now_ms - visit.arrived_ms) / 1000
            for mirror in app[SERVICE].mirrors
            for visit in mirror.visits.values()
            if visit.status is Status.QUEUED
        ),
        default=0.0,
    )


def _on_call(app: web.Application) -> float:
    return sum(staff.on_call for mirror in app[SERVICE].mirrors for staff in mirror.staff.values())


def _sockets(app: web.Application) -> Mapping[str, float]:
    found: Counter[str] = Counter({str(role): 0 for role in Role if role not in (Role.SYSTEM, Role.FACILITY)})
    found.update(str(connection.actor.role) for connection in app[SIGNALLING].present())
    return found


def _where(app: web.Application) -> Iterable[Series]:
    hosts = [candidate.host for candidate in app[RELAY].candidates()]
    yield (app[SETTINGS].cluster.region, hosts[0] if hosts else ""), 1


def memory_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 if it cannot be read (it can only on Linux)."""
    try:
        return int(MEMORY.read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


PACKETS: Final = "received forwarded withheld dropped strays unauthentic replayed".split()


def _packets(app: web.Application) -> Mapping[str, float]:
    stats = app[RELAY].stats
    return {name: getattr(stats, name) for name in PACKETS}


WORKERS: Final = "greenroom_workers"
JOBS_DUE: Final = "greenroom_jobs_due"
JOBS_DEAD: Final = "greenroom_jobs_dead"
AUDIT_QUEUED: Final = "greenroom_audit_queued_entries"
CLUSTER_WORKERS: Final = "greenroom_cluster_workers"
CLUSTER_ROOMS_MAX: Final = "greenroom_cluster_rooms_max"


def _asked(_: web.Application) -> Iterable[Series]:
    """Return no values: `scrape.py` reads the values of this metric from the store during a scrape."""
    return []


METRICS: Final = (
    # Metrics of the server
    Metric(
        "greenroom_build_info", "gauge", "1, with the version as its label.",
        lambda _: [((VERSION,), 1)], ("version",), shared=True,
    ),
    Metric(WORKERS, "gauge", "Workers of this machine that serve now.", _asked, shared=True),
    Metric(CLUSTER_WORKERS, "gauge", "Workers of all machines that take new calls.", _asked, shared=True),
    Metric(
        CLUSTER_ROOMS_MAX, "gauge", "Most calls that these workers take together; 0: any number, as one has no limit.",
        _asked, shared=True,
    ),
    Metric(
        "greenroom_worker_info", "gauge", "1, with the worker's region and the first host of its media as labels.",
        _where, ("region", "host"),
    ),
    Metric(
        "greenroom_worker_start_time_seconds", "gauge", "When the worker started, in seconds since 1970.",
        _one(lambda _: STARTED_S),
    ),
    Metric(
        "greenroom_worker_cpu_seconds_total", "counter", "CPU time of the worker.",
        _one(lambda _: time.process_time()),
    ),
    Metric(
        "greenroom_worker_memory_bytes", "gauge", "Resident memory of the worker (Linux).",
        _one(lambda _: memory_bytes() or None),
    ),
    _histogram(
        "greenroom_loop_lag_seconds", "How late the worker's event loop was, measured four times a second.",
        ("", counts.LOOP_LAG_S),
    ),
    Metric(
        "greenroom_task_failures_total", "counter", "Tasks that must not end and were started again.",
        _by(lambda app: app[SUPERVISOR].failures), ("task",),
    ),
    _counted(
        "greenroom_requests_total", "Answered requests for pages and the API; status is its class, as in 2xx.",
        web_counts.REQUESTS, "method", "status",
    ),
    _counted(
        "greenroom_newcomers_total", "Newcomers at a calendar or form, admitted or asked to wait (result=waits).",
        web_counts.NEWCOMERS, "result",
    ),
    # Metrics of visits
    Metric(
        "greenroom_visits", "gauge", "Open visits of all organisations, by status.",
        _by(_visits), ("status",), shared=True,
    ),
    Metric(
        "greenroom_longest_wait_seconds", "gauge", "How long the longest waiting patient has waited.",
        _one(_longest_wait), shared=True,
    ),
    Metric("greenroom_staff_on_call", "gauge", "Staff who are On-Call.", _one(_on_call), shared=True),
    _counted("greenroom_visits_ended_total", "Visits that ended, by outcome.", counts.ENDED, "outcome"),
    Metric(
        "greenroom_commands_total", "counter",
        "Commands on visits, such as claim; the result is done, or the code of the refusal.",
        _commands, ("command", "result"),
    ),
    _histogram("greenroom_wait_seconds", "From a patient's arrival to the first claim.", ("", counts.WAIT_S)),
    _histogram(
        "greenroom_claim_to_page_seconds", "From a claim to the message about it to the patient's page.",
        ("", counts.CLAIM_TO_PAGE_S),
    ),
    # Metrics of WebSockets
    Metric("greenroom_sockets", "gauge", "Open WebSockets, by role.", _by(_sockets), ("role",)),
    _counted(
        "greenroom_sockets_opened_total", "Hellos; the result is new, resumed, or the code of the error.",
        counts.SOCKETS_OPENED, "result",
    ),
    _counted(
        "greenroom_sockets_closed_total",
        "WebSockets closed by the server, by close code: 4002 did not read what was sent, silent did not answer.",
        counts.SOCKETS_CLOSED, "code",
    ),
    _counted(
        "greenroom_tokens_refused_total", "Wrong links and resume tokens, by kind.",
        web_counts.TOKENS_REFUSED, "kind",
    ),
    # Metrics of the store and of requests to it
    Metric(
        "greenroom_store_writable", "gauge", "1 while the store accepts the worker's writes, else 0.",
        _one(lambda app: app[LIVENESS].healthy),
    ),
    _histogram(
        "greenroom_store_round_trip_seconds", "From commands sent to the store to their replies.",
        ("", counts.STORE_S),
    ),
    _counted("greenroom_store_errors_total", "Errors of the store, by reason.", counts.STORE_ERRORS, "reason"),
    _histogram(
        "greenroom_event_lag_seconds", "From the decision of a change of a visit to its arrival at a worker.",
        ("", counts.EVENT_LAG_S),
    ),
    _counted("greenroom_bus_lost_total", "Lost connections for news from other workers.", counts.BUS_LOST),
    _counted(
        "greenroom_mirror_repairs_total",
        "Repairs of the copy of open visits: filled a gap, reloaded it, or began a new epoch as events were lost.",
        counts.REPAIRS, "kind",
    ),
    Metric(
        "greenroom_audit_unwritten_entries", "gauge", "Entries of the audit log that wait in memory for the store.",
        _one(lambda app: app[AUDIT_LOG].unwritten),
    ),
    Metric(
        AUDIT_QUEUED, "gauge", "Entries in the store that are not bound into the audit log yet.", _asked, shared=True
    ),
    # Metrics of jobs
    Metric(JOBS_DUE, "gauge", "Jobs that are due now, by queue.", _asked, ("queue",), shared=True),
    Metric(JOBS_DEAD, "gauge", "Jobs that were given up in the last 30 days.", _asked, shared=True),
    _counted(
        "greenroom_jobs_total", "Attempts at jobs (mail, webhook, text, push and others): sent, retried or failed.",
        web_counts.JOBS, "kind", "result",
    ),
    # Metrics of calls
    Metric("greenroom_rooms", "gauge", "Calls whose media the worker carries.", _one(lambda app: app[RELAY].rooms)),
    Metric(
        "greenroom_rooms_max", "gauge", "Most calls that the worker takes ([media] rooms_max); 0: any number.",
        _one(lambda app: app[SETTINGS].media.rooms_max),
    ),
    Metric("greenroom_parties", "gauge", "Parties in these calls.", _one(lambda app: app[RELAY].parties)),
    _counted("greenroom_rooms_taken_over_total", "Calls taken over from workers that have ended.", counts.TAKEOVERS),
    _histogram(
        "greenroom_first_picture_seconds",
        "From the second Start Session until a party's first picture crosses, in calls of two.",
        ("", counts.FIRST_PICTURE_S),
    ),
    Metric(
        "greenroom_packets_total", "counter",
        "Media packets: received; forwarded; withheld by the gate, a mute or before a keyframe; dropped; or refused.",
        _by(_packets), ("result",),
    ),
    Metric(
        "greenroom_forwarded_bytes_total", "counter", "Bytes of forwarded media packets.",
        _one(lambda app: app[RELAY].stats.forwarded_octets),
    ),
    Metric(
        "greenroom_media_faults_total", "counter", "Errors of the relay; the log has one of them a minute.",
        _one(lambda app: app[RELAY].stats.faults),
    ),
    _histogram(
        "greenroom_call_round_trip_seconds", "Round trips between server and parties of live calls.",
        ("", counts.ROUND_TRIP_S),
    ),
    _histogram(
        "greenroom_call_lost_ratio", "Shares of packets lost that parties of live calls sent, and that they received.",
        ("sent", counts.SENT_LOST), ("received", counts.RECEIVED_LOST), label="direction",
    ),
)  # fmt: skip
"""All metrics of the server."""

BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in METRICS}


def values(app: web.Application, *, shared: bool = False) -> dict[str, list[Series]]:
    """Return the values of this worker, by the name of their metric.

    `shared`: True to return only the metrics whose values all workers share, False to return all other
    metrics.
    """
    return {metric.name: list(metric.read(app)) for metric in METRICS if metric.shared is shared}
