"""Defines `greenroom status`, which prints the workers of all machines and their store in one of three forms.

The forms are a table, lines, and JSON."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from time import perf_counter, sleep
from typing import Any

import msgspec
import redis
import typer
from rich.console import Console
from rich.table import Table

from signalling.errors import UnavailableError
from signalling.rooms.placement import capacity
from signalling.store import keys
from web.commands.doctor import reached
from web.config import Settings
from web.jobs import QUEUES
from web.metrics.report import EVERY_S, Report, reports
from web.organisations.documents import Organisations
from web.server import logs
from web.server.redis_client import connect

COLUMNS = (
    "worker", "machine", "region", "address", "version", "up", "sockets", "rooms", "parties", "CPU", "lag", "memory",
    "",
)  # fmt: skip
MEGABYTE = 1_000_000
LATE_S = 60


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the store at one moment. `version`: its name and version, such as "valkey 9.1.0"."""

    version: str
    round_trip_ms: float
    memory_bytes: int
    clients: int


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of deliveries (mails, messages and webhooks): `due` now, `late` by more than a minute, and given up
    (`dead`).
    """

    due: int = 0
    late: int = 0
    dead: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The values that the command shows. `store`: None if the store does not answer. `problems`: one sentence for each
    problem.
    """

    store: Store | None
    workers: list[Report]
    organisations: int
    open_visits: int
    problems: list[str]
    deliveries: Deliveries = Deliveries()


def run(settings: Settings, as_json: bool, live: bool) -> int:
    """Print the status, as JSON if `as_json`. If `live`, print it again every EVERY_S seconds until Ctrl-C.

    Return 1 if there is a problem, otherwise 0.
    """
    # Logs go to standard error, because the status is printed on standard output.
    logs.setup(settings.log)
    console = Console(markup=False, highlight=False)
    while True:
        status = asyncio.run(_status(reached(settings)))
        if live and console.is_terminal and not as_json:
            console.clear()
        if as_json:
            typer.echo(msgspec.json.encode(status))
        elif console.is_terminal:
            console.print(table(status.workers), *summary(status), sep="\n")
        else:
            typer.echo("\n".join([*map(line, status.workers), *summary(status)]))
        if not live:
            return int(bool(status.problems))
        sleep(EVERY_S)


async def _status(settings: Settings) -> Status:
    if not settings.redis.url:
        return _without_store(f"no Greenroom runs on {settings.data.folder}: its store starts with it")
    async with connect(settings) as client:
        try:
            return await _asked(client)
        except (redis.RedisError, OSError, UnavailableError) as error:
            return _without_store(f"the store does not answer ({type(error).__name__})")


def _without_store(problem: str) -> Status:
    return Status(store=None, workers=[], organisations=0, open_visits=0, problems=[problem])


async def _asked(client: Any) -> Status:
    """Read the status from the store and return it.

    Raises redis-py's errors, or `UnavailableError`, if the store does not answer.
    """
    begun_s = perf_counter()
    await client.execute_command("PING")
    round_trip_ms = (perf_counter() - begun_s) * 1000
    info = await client.info()
    workers, organisations = await reports(client), await Organisations(client).list()
    pipe = client.pipeline(transaction=False)
    for organisation in organisations:
        pipe.zcard(keys.OPEN(organisation))
    store = Store(
        version=f"{info.get('server_name', 'redis')} {info.get('valkey_version') or info['redis_version']}",
        round_trip_ms=round(round_trip_ms, 2),
        memory_bytes=info["used_memory"],
        clients=info["connected_clients"],
    )
    return Status(
        store=store,
        workers=workers,
        organisations=len(organisations),
        open_visits=sum(await pipe.execute()),
        problems=problems(workers),
        deliveries=await _deliveries(client, organisations),
    )


async def _deliveries(client: Any, organisations: Iterable[str]) -> Deliveries:
    """Return the numbers of due, late and given-up deliveries of all these organisations together.

    `client`: the client of the store.
    """
    seconds, _ = await client.time()
    pipe = client.pipeline(transaction=False)
    for organisation in organisations:
        pipe.zcard(keys.DEAD_JOBS(organisation))
        for key in (keys.JOBS(organisation), *(keys.QUEUE(organisation, name) for name in QUEUES[1:])):
            pipe.zcount(key, "-inf", seconds * 1000)
            pipe.zcount(key, "-inf", (seconds - LATE_S) * 1000)
    found = await pipe.execute()
    rows = [found[at : at + 1 + 2 * len(QUEUES)] for at in range(0, len(found), 1 + 2 * len(QUEUES))]
    return Deliveries(
        due=sum(sum(row[1::2]) for row in rows),
        late=sum(sum(row[2::2]) for row in rows),
        dead=sum(row[0] for row in rows),
    )


def problems(workers: Sequence[Report]) -> list[str]:
    """Return one sentence for each problem of the workers; [] if there is none."""
    found, versions = [], sorted({worker.version for worker in workers})
    if not versions:
        found.append("no worker reports to this store")
    elif all(worker.draining for worker in workers):
        found.append("all workers stop")
    if len(versions) > 1:
        found.append(f"workers of several versions serve: {', '.join(versions)}")
    most = capacity(workers)
    if most and _rooms(workers) >= most:
        found.append("no worker takes another call, by [media] rooms_max: claims are refused")
    return found


def _rooms(workers: Iterable[Report]) -> int:
    return sum(worker.rooms for worker in workers)


def _cells(worker: Report) -> tuple[str, ...]:
    """Return the cells of a worker's row in the table of workers, in the order of the columns."""
    return (
        worker.worker,
        worker.machine,
        worker.region or "-",
        ":".join(map(str, worker.addresses[0])) if worker.addresses else "-",
        worker.version,
        str(timedelta(seconds=worker.up_s)),
        str(worker.sockets),
        f"{worker.rooms}/{worker.rooms_max}" if worker.rooms_max else str(worker.rooms),
        str(worker.parties),
        f"{worker.cpu:.0%}",
        f"{worker.lag_ms:.1f} ms",
        f"{worker.memory_bytes / MEGABYTE:.0f} MB" if worker.memory_bytes else "-",
        "stops" if worker.draining else "serves",
    )


def table(workers: Iterable[Report]) -> Table:
    """Return the workers as a table for a terminal."""
    made = Table(*COLUMNS, box=None)
    for worker in workers:
        made.add_row(*_cells(worker))
    return made


def line(worker: Report) -> str:
    """Return a worker's report as one line for logs and files, with the name of each value."""
    return " ".join(
        f"{name.lower() or 'state'}={cell.replace(' ', '')}"
        for name, cell in zip(COLUMNS, _cells(worker), strict=True)
    )


def summary(status: Status) -> list[str]:
    """Return the lines that `greenroom status` prints below the workers: about the store, the visits and the
    problems.
    """
    lines = []
    if status.store is not None:
        store = status.store
        lines.append(
            f"store: {store.version}, {store.round_trip_ms} ms, {store.memory_bytes / MEGABYTE:.0f} MB, "
            f"{store.clients} clients"
        )
        lines.append(f"visits: {status.open_visits} open, organisations: {status.organisations}")
        if most := capacity(status.workers):
            lines.append(f"calls: {_rooms(status.workers)} of at most {most}")
        jobs = status.deliveries
        lines.append(f"deliveries: {jobs.due} due, {jobs.late} of them late, {jobs.dead} given up")
    return [*lines, *(f"problem: {problem}" for problem in status.problems)]
