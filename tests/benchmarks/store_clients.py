"""Measures the CPU that store commands cost the sending process: our connection and other clients, in turn.

There are three patterns: fifty queries in one turn of the event loop, as in a claim race; a PUBLISH to a subscribed
connection; and the commit script with a real record. Each turn is a process of its own on the same Valkey, over a Unix
socket, on uvloop. The results are the CPU of all threads of that process, and the time until each reply. Clients that
are not installed are skipped. `pip install coredis valkey-glide` adds two of them (45 MB).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import redis
import uvloop
from msgspec.structs import replace

from signalling.store import records, redis_transport
from signalling.store.encryption import Seal
from signalling.store.pubsub import Bus
from signalling.store.redis_connection import SharedRedis
from signalling.visit.relations import Event
from tests.benchmarks.figures import Comparison, Made, Skipped, compared, percentile, times, written
from tests.benchmarks.others.turns import alternating
from tests.benchmarks.process import Child
from tests.limits import WAIT_S
from tests.signalling.visits import ORG, T0, queued
from web.server.valkey import EmbeddedStore, LockedFolder

AT_ONCE = 50
COMMIT = Path(records.__file__).with_name("commit.lua").read_text("utf-8")
CHANNEL, MESSAGE = "news", bytes(300)
LIMIT_S = 120.0
PATTERNS = {
    "questions": f"{AT_ONCE} questions at once",
    "publish": "PUBLISH to a subscriber",
    "commit": "the commit script",
}
Tell = Callable[[float], None]
Call = Callable[..., Any]


class Size(NamedTuple):
    """How much is measured: `rounds`, and per round `questions` batches of fifty queries, `messages` published
    messages, and `commits`.
    """

    rounds: int
    questions: int
    messages: int
    commits: int


WHOLE = Size(5, 200, 2000, 500)
QUICK = Size(1, 10, 50, 50)


class Client(NamedTuple):
    """The functions of a store client that are measured; each is a coroutine function."""

    get: Call  # its argument is a key
    publish: Call  # its arguments are a channel and a message
    commit: Call  # its arguments are a list of keys and a list of arguments


class Spent(NamedTuple):
    """The CPU per operation in µs, and the time until its reply in ms. For a PUBLISH, this is the time until the
    message is received.
    """

    us: float
    p50_ms: float
    p99_ms: float


@asynccontextmanager
async def ours(path: str, received: Call) -> AsyncIterator[Client]:
    """Yield the connection and the pub/sub client of the product.

    `path`: the store's socket. `received`: called with each published message.
    """
    client: Any = SharedRedis(unix_socket_path=path, socket_timeout=WAIT_S, protocol=3)
    bus = Bus(client)
    await bus.subscribe(CHANNEL, received)
    script = client.register_script(COMMIT)
    yield Client(client.get, client.publish, lambda keys, args: script(keys=keys, args=args))
    await bus.close()
    await client.aclose()


@asynccontextmanager
async def ours_public(path: str, received: Call) -> AsyncIterator[Client]:
    """Yield the product's connection, made to use only the public methods of redis-py.

    The product falls back to these methods if a newer redis-py has changed its private parts.

    `path`: the store's socket. `received`: called with each published message.
    """
    # This changes the transport of the whole process. It need not be undone, because each process measures only one
    # client.
    redis_transport.chosen = redis_transport.PublicTransport
    async with ours(path, received) as client:
        yield client


@asynccontextmanager
async def redis_py(path: str, received: Call) -> AsyncIterator[Client]:
    """Yield redis-py as its documentation uses it: a pool of connections, and a task that receives messages.

    `path`: the store's socket. `received`: called with each published message.
    """
    client: Any = redis.asyncio.Redis(unix_socket_path=path, socket_timeout=WAIT_S, protocol=3)
    script = client.register_script(COMMIT)
    async with client.pubsub(ignore_subscribe_messages=True) as listener:
        await listener.subscribe(CHANNEL)

        async def listen() -> None:
            async for message in listener.listen():
                received(message["data"])

        listening = asyncio.create_task(listen())
        yield Client(client.get, client.publish, lambda keys, args: script(keys=keys, args=args))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await client.aclose()


@asynccontextmanager
async def coredis(path: str, received: Call) -> AsyncIterator[Client]:
    """Yield coredis, with a handler for the channel's messages.

    `path`: the store's socket. `received`: called with each published message.
    """
    import coredis

    async with coredis.Redis(unix_socket_path=path, stream_timeout=WAIT_S) as client:
        script = client.register_script(COMMIT)
        async with client.pubsub(channel_handlers={CHANNEL: received}):
            yield Client(client.get, client.publish, lambda keys, args: script(keys, args))


@asynccontextmanager
async def valkey_glide(path: str, received: Call) -> AsyncIterator[Client]:
    """Yield valkey-glide, with a callback for messages; one client both sends and receives.

    `path`: the store's socket. `received`: called with each published message.
    """
    import glide

    config = glide.GlideClientConfiguration
    client = await glide.GlideClient.create(
        config(
            [glide.NodeAddress(unix_socket_path=path)],
            request_timeout=round(WAIT_S * 1000),
            pubsub_subscriptions=config.PubSubSubscriptions(
                {config.PubSubChannelModes.Exact: {CHANNEL}}, lambda message, _: received(message), None
            ),
        )
    )
    script = glide.Script(COMMIT)

    async def publish(channel: str, message: bytes) -> None:
        await client.publish(message, channel)

    yield Client(client.get, publish, lambda keys, args: client.invoke_script(script, keys, args))
    await client.close()


class Rival(NamedTuple):
    """A client to compare: its package, the module that shows whether it is installed, and the function
    that opens it.
    """

    package: str
    module: str
    open: Callable[[str, Call], AbstractAsyncContextManager[Client]]


CLIENTS = {
    "ours": Rival("redis", "redis", ours),
    "ours, public": Rival("redis", "redis", ours_public),
    "redis-py": Rival("redis", "redis", redis_py),
    "coredis": Rival("coredis", "coredis", coredis),
    "valkey-glide": Rival("valkey-glide", "glide", valkey_glide),
}


def measure(size: Size, progress: Tell) -> Made:
    """Play all patterns with all clients that are installed; return the comparisons. `progress`: called with the
    progress.

    `size`: how much is measured. Raises ChildError if a turn fails.
    """
    present = [name for name, rival in CLIENTS.items() if find_spec(rival.module) is not None]
    made: dict[str, list[dict[str, Spent]]] = {name: [] for name in present}
    with TemporaryDirectory() as folder:
        locked = LockedFolder(Path(folder))
        store = EmbeddedStore(locked)
        store.start()
        try:
            for number, name in alternating(present, size.rounds):
                with redis.Redis.from_url(store.url) as client:
                    client.flushall()
                path = store.url.removeprefix("unix://").partition("?")[0]
                made[name].append(Child(play, name, path, size).result(LIMIT_S))
                progress((number + 1) / size.rounds)
        finally:
            store.stop()
            locked.close()
    return Made(
        comparisons=[
            _compared(made, pattern, field, unit, size)
            for pattern in PATTERNS
            for field, unit in (("us", "µs"), ("p50_ms", "ms"), ("p99_ms", "ms"))
        ],
        skipped=[Skipped(name, "it is not installed") for name in CLIENTS if name not in made],
        versions={CLIENTS[name].package: version(CLIENTS[name].package) for name in present},
    )


def _compared(
    made: dict[str, list[dict[str, Spent]]], pattern: str, field: str, unit: str, size: Size
) -> Comparison:
    """Return the comparison of all clients in one figure of one pattern of commands.

    `pattern`: a key of PATTERNS. `field`: the figure, a field of Spent. `unit`: the unit of the figure.
    `made`: client -> its results in each round, by pattern. `size`: has the number of rounds. The
    comparison's note has the lowest and highest figure of each client.
    """
    rounds = {name: [getattr(turn[pattern], field) for turn in turns] for name, turns in made.items()}
    what = {"us": "CPU each", "p50_ms": "reply after, p50", "p99_ms": "reply after, p99"}[field]
    ranges = ", ".join(f"{name} {written(min(v))} to {written(max(v))}" for name, v in rounds.items())
    note = f"{times(size.rounds, 'round')}: {ranges}"
    return compared(f"store_{pattern}_{field}", f"{PATTERNS[pattern]}: {what}", unit, rounds, None, note)


def play(tell: Tell, name: str, path: str, size: Size) -> dict[str, Spent]:
    """Run all patterns of commands once with the client `name`, in this child process; return pattern -> its
    figures.

    `tell`: called with the progress. `path`: the store's socket. `size`: how much is measured.
    """
    return uvloop.run(_play(name, path, size))


async def _play(name: str, path: str, size: Size) -> dict[str, Spent]:
    commits = await arguments(size.commits + size.commits // 10)
    arrived, took = asyncio.Event(), list[float]()

    def received(_: object) -> None:
        arrived.set()  # every client calls this function in the thread of the event loop

    async with CLIENTS[name].open(path, received) as client:

        async def ask(began_s: float) -> None:
            await client.get("word")
            took.append(time.perf_counter() - began_s)

        async def questions(_: int) -> None:
            began_s = time.perf_counter()
            await asyncio.gather(*(ask(began_s) for _ in range(AT_ONCE)))

        async def publish(_: int) -> None:
            arrived.clear()
            began_s = time.perf_counter()
            await client.publish(CHANNEL, MESSAGE)
            await arrived.wait()
            took.append(time.perf_counter() - began_s)

        async def commit(number: int) -> None:
            began_s = time.perf_counter()
            answer = await client.commit(*commits[number])
            took.append(time.perf_counter() - began_s)
            assert answer[0] == 1, "another one has this version"

        async def spent(act: Callable[[int], Any], number: int) -> Spent:
            for warm in range(number, number + number // 10):
                await act(warm)
            took.clear()
            used = time.process_time()
            for at in range(number):
                await act(at)
            cpu_us = (time.process_time() - used) * 1e6 / len(took)
            return Spent(cpu_us, percentile(took, 50) * 1000, percentile(took, 99) * 1000)

        return {
            "questions": await spent(questions, size.questions),
            "publish": await spent(publish, size.messages),
            "commit": await spent(commit, size.commits),
        }


class _Recorder:
    """Takes the place of a client of the store: it records the arguments of scripts, and runs none."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[bytes], list[bytes]]] = []

    def register_script(self, text: str) -> Call:
        async def call(keys: list[Any], args: list[Any]) -> list[Any]:
            self.calls.append(([_bytes(key) for key in keys], [_bytes(arg) for arg in args]))
            return [1, 1, b"epoch"]

        return call


async def arguments(number: int) -> list[tuple[list[bytes], list[bytes]]]:
    """Return (keys, arguments) of `number` commits, as the commit script gets them, each of a new visit."""
    recorder = _Recorder()
    store = records.Store(recorder, Seal({b"1": b"k" * 32}))  # type: ignore[arg-type]
    for at in range(number):
        record = replace(queued(), id=f"v_{at}", version=1)
        await store.commit(ORG, record, Event("opened", T0), index_score=at, deadline_ms=T0)
    return recorder.calls


def _bytes(word: Any) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
