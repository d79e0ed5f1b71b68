"""Answers a scrape (Prometheus's request for metrics) with the values of all workers of this machine.

The values of the other workers are at most a second old; all workers share them in memory. Values that are
read from the store are left out while the store does not answer. prometheus-client is imported with the first
scrape.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from signalling import counts
from signalling.errors import UnavailableError
from signalling.rooms.placement import capacity
from signalling.store import keys
from signalling.store.unavailable import answering
from web.config import LEAST_TOKEN, Settings, first_line
from web.errors import ConfigError
from web.keys import JOB_QUEUES, ORGANISATIONS, REDIS, SERVICE, SETTINGS, SUPERVISOR, WORKER
from web.metrics.report import reports
from web.metrics.table import (
    AUDIT_QUEUED,
    BY_NAME,
    CLUSTER_ROOMS_MAX,
    CLUSTER_WORKERS,
    JOBS_DEAD,
    JOBS_DUE,
    METRICS,
    WORKERS,
    Metric,
    Series,
    values,
)

if TYPE_CHECKING:
    import socket

    from prometheus_client.metrics_core import Metric as Family

LOOK_S = 0.25
ASK_S = 1.0
"""The longest time in s that a scrape waits for values from the store."""
TASK = "metrics"
Found = dict[str, list[Series]]
_DECODER = msgspec.msgpack.Decoder(Found)


async def metrics(request: web.Request) -> web.Response:
    """Answer GET /metrics with the metrics of all workers, on the port of the pages.

    The answer is 404 if no token is set, or if metrics have a port of their own; it is 401 if the request has
    no valid token.
    """
    settings = request.app[SETTINGS].metrics
    if settings.port or not (settings.token or settings.token_file):
        raise web.HTTPNotFound
    return await _answer(request.app, request)


async def _answer(app: web.Application, request: web.Request) -> web.Response:
    token = token_of(app[SETTINGS])
    given = request.headers.get("Authorization", "")
    if token and not hmac.compare_digest(given.encode(errors="replace"), f"Bearer {token}".encode()):
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    text = encode(_Families(await gathered(app)))
    return web.Response(body=text, headers={"Content-Type": content_type})


def token_of(settings: Settings) -> str:
    """Return the token that a scrape must have; "" if none is needed.

    Raises ConfigError if its file cannot be read, or holds too short a token.
    """
    file = settings.metrics.token_file
    if not file:
        return settings.metrics.token
    token = first_line("metrics.token_file", file)
    if len(token) < LEAST_TOKEN:
        raise ConfigError(f"metrics.token_file: expected at least {LEAST_TOKEN} characters in {file}")
    return token


async def gathered(app: web.Application) -> Found:
    """Return the metrics of this machine by name: values of each of its workers, and values that are the same for
    all.
    """
    own = app[WORKER].index if WORKER in app else 0
    boards = app[WORKER].boards if WORKER in app else None
    workers = {} if boards is None else boards.read(time.monotonic())
    found: dict[int, Found] = {
        index: _DECODER.decode(data) for index, data in workers.items() if index != own
    }
    found[own] = values(app)
    shared = values(app, shared=True)
    shared[WORKERS] = [((), len(found))]
    try:
        async with asyncio.timeout(ASK_S):
            shared |= await _stored(app)
    except (UnavailableError, TimeoutError):
        # An error of the store is already in the log; the values that are read from the store are left out.
        pass
    each = {
        metric.name: [
            ((*labels, str(index)), value)
            for index in sorted(found)
            for labels, value in found[index].get(metric.name, ())
        ]
        for metric in METRICS
        if not metric.shared
    }
    return {**each, **shared}


async def _stored(app: web.Application) -> Found:
    """Return the values that are read from the store.

    Raises `UnavailableError` if the store does not answer.
    """
    jobs, now_ms = app[JOB_QUEUES], app[SERVICE].clock_ms()
    async with answering():
        pipe = app[REDIS].pipeline(transaction=False)
        organisations = await app[ORGANISATIONS].list()
        for organisation in organisations:
            pipe.llen(keys.AUDIT_QUEUE(organisation))
            pipe.zcard(keys.DEAD_JOBS(organisation))
            for queue in jobs.values():
                pipe.zcount(queue.key(organisation), "-inf", now_ms)
        answers = await pipe.execute() if organisations else []
        workers = [worker for worker in await reports(app[REDIS]) if not worker.draining]
    columns = [sum(answers[at :: len(jobs) + 2]) for at in range(len(jobs) + 2)]
    return {
        CLUSTER_WORKERS: [((), len(workers))],
        CLUSTER_ROOMS_MAX: [((), capacity(workers) or 0)],
        AUDIT_QUEUED: [((), columns[0])],
        JOBS_DEAD: [((), columns[1])],
        JOBS_DUE: [((name,), number) for name, number in zip(jobs, columns[2:], strict=True)],
    }


class _Families:
    """Passes the metrics to prometheus-client, which calls `collect` to get them."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def collect(self) -> Iterator[Family]:
        """Yield each metric that has values."""
        for name, series in self._found.items():
            if series:
                yield _family(BY_NAME[name], series)


def _family(metric: Metric, series: Iterable[Series]) -> Family:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.all_labels)
        for labels, (*numbers, total) in series:  # type: ignore[misc]
            bounds = [*map(str, metric.bounds), "+Inf"]
            histogram.add_metric(labels, list(zip(bounds, accumulate(numbers), strict=True)), total)
        return histogram
    of_kind: Any = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}[metric.kind]
    family: Family = of_kind(metric.name, metric.help, labels=metric.all_labels)
    for labels, value in series:
        family.add_metric(labels, value)  # type: ignore[attr-defined]
    return family


async def running(app: web.Application) -> AsyncIterator[None]:
    """Measure the delays of the event loop, and write this worker's values for the other workers, while the app runs.

    Raises ConfigError if the file with the token cannot be read, or holds too short a token.
    """
    token_of(app[SETTINGS])
    app[SUPERVISOR].keep(TASK, partial(_run, app))
    yield
    await app[SUPERVISOR].stop(TASK)
    _write(app, b"")


async def _run(app: web.Application) -> None:
    looks = 0
    while True:
        due_s = time.monotonic() + LOOK_S
        await asyncio.sleep(LOOK_S)
        counts.LOOP_LAG_S.observe(max(0.0, time.monotonic() - due_s))
        looks += 1
        if looks % 4 == 0:
            _write(app, msgspec.msgpack.encode(values(app)))


def _write(app: web.Application, data: bytes) -> None:
    process = app.get(WORKER)
    if process is not None and process.boards is not None:
        process.boards.write(process.index, data, time.monotonic())


async def port(listener: socket.socket, app: web.Application) -> AsyncIterator[None]:
    """Answer scrapes on a port of their own as long as the app runs; all workers share the socket `listener`."""
    own = web.Application()
    own.add_routes([web.get("/metrics", partial(_answer, app))])
    runner = web.AppRunner(own, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    yield
    await runner.cleanup()
