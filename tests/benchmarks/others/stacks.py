"""Starts our server and the other servers side by side, each with the same number of workers and its own store.

A stack is a server with its workers and its store. This module defines how each is started and stopped. `companies.py`
defines the messages to it.
"""

import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.figures import Skipped
from tests.benchmarks.others import setup
from tests.benchmarks.peers import Endpoint, Login
from tests.benchmarks.server import BenchServer
from web.server.subprocesses import end
from web.server.valkey import EmbeddedStore, LockedFolder

OURS = "Greenroom"
SERVERS = Path(__file__).parent / "servers"
START_S = 30.0
STOP_S = 5.0
HOST = "127.0.0.1"


class Stack(NamedTuple):
    """A running server with its workers and its store.

    `speaks`: the protocol of its clients. `endpoints`: the address of each worker (our workers share one address).
    `workers` and `store`: process ids. `staff`, `patients`, `visits`: the people on our server, empty for the others.
    """

    name: str
    speaks: str
    endpoints: tuple[Endpoint, ...]
    workers: list[int]
    store: int
    staff: list[Login]
    patients: list[Login]
    visits: list[str]


class Recipe(NamedTuple):
    """One other server. `speaks`: the protocol of its clients. `command`: returns the command that starts a
    worker, and the versions of its parts. `by_url`: True if the command gets the store's URL, False if it
    gets the path of the store's socket.
    """

    speaks: str
    command: Callable[[setup.Say], tuple[list[str], dict[str, str]]]
    by_url: bool


def _python(say: setup.Say) -> tuple[list[str], dict[str, str]]:
    program = setup.python_environment(say)
    return [*program.command, str(SERVERS / "sio.py"), "STORE"], program.versions


def _node(script: str, *names: str) -> Callable[[setup.Say], tuple[list[str], dict[str, str]]]:
    def command(say: setup.Say) -> tuple[list[str], dict[str, str]]:
        program, modules = setup.node_modules(say)
        versions = {name: program.versions[name] for name in ("Node", *names)}
        command = [*program.command, "--expose-gc", str(SERVERS / script), "STORE", str(modules)]
        return command, versions

    return command


RECIPES = {
    "socket.io": Recipe("socket.io", _node("sio.cjs", "socket.io", "@socket.io/redis-adapter"), False),
    "python-socketio": Recipe("socket.io", _python, True),
    "ws": Recipe("ws", _node("ws.cjs", "ws"), False),
}
"""The other servers, by their names in the tables. ws shows the cost of a bare WebSocket: it has neither rooms nor a
store.
"""


class Company(NamedTuple):
    """All running stacks, ours first; the servers that do not run, with the reasons; and the versions of those that
    do.
    """

    stacks: list[Stack]
    skipped: list[Skipped]
    versions: dict[str, str]


@contextmanager
def stacks(
    ours: BenchServer, others: Sequence[str], people: tuple[int, int, int], say: setup.Say
) -> Iterator[Company]:
    """Start the other servers that are available, with as many workers as ours; yield all stacks.

    `others`: the names of the other servers. `people`: how many staff, browsers of staff, and waiting patients our
    server gets. `say` prints a line.
    """
    skipped: list[Skipped] = []
    versions: dict[str, str] = {}
    with ExitStack() as running:
        found = [_ours(ours, *people)]
        for name in others:
            recipe = RECIPES[name]
            try:
                command, made_of = recipe.command(say)
                found.append(running.enter_context(_other(name, recipe, command, len(ours.workers))))
                versions |= made_of
            except setup.MissingServerError as problem:
                skipped.append(Skipped(name, str(problem)))
        yield Company(found, skipped, versions)


def _ours(ours: BenchServer, people: int, logins: int, waiting: int) -> Stack:
    staff = ours.staff(people, logins)
    patients, visits = ours.waiting(waiting)
    return Stack(OURS, "greenroom", (ours.endpoint,), ours.workers, ours.store, staff, patients, visits)


@contextmanager
def _other(name: str, recipe: Recipe, command: list[str], workers: int) -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    with ExitStack() as running:
        running.callback(shutil.rmtree, folder, ignore_errors=True)
        lock = LockedFolder(folder)
        running.callback(lock.close)
        store = EmbeddedStore(lock)
        store.start()
        running.callback(store.stop)
        assert store.pid is not None
        place = store.url if recipe.by_url else store.url.removeprefix("unix://")
        started = [place if word == "STORE" else word for word in command]
        processes = [running.enter_context(_worker(name, started)) for _ in range(workers)]
        endpoints = tuple(Endpoint(HOST, port, "") for _, port in processes)
        yield Stack(name, recipe.speaks, endpoints, [pid for pid, _ in processes], store.pid, [], [], [])


@contextmanager
def _worker(name: str, command: list[str]) -> Iterator[tuple[int, int]]:
    """Start a worker of the server `name` by `command`; yield (its process id, the port that it has printed).

    Raises MissingServerError if it does not start.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], START_S)
            line = process.stdout.readline().strip() if ready else b""
            if not line.isdigit():
                errors.seek(0)
                said = errors.read().decode("utf-8", "replace").strip().splitlines()
                raise setup.MissingServerError(
                    f"{name} did not start: {said[-1] if said else 'it says nothing'}"
                )
            yield process.pid, int(line)
        finally:
            end(process, STOP_S)
            assert process.stdout is not None
            process.stdout.close()
