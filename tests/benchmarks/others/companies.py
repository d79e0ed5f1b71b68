"""Plays the clients of a server: subscribers, senders of updates, pairs that exchange messages, and claimers.

A stack is a server with its workers and its store. Each one gets the same requests, in its own protocol. All clients
are raw sockets (`wire.py`) that parse as little as possible: they recognise a message by a few bytes that no other
message has.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

from tests.benchmarks.others.stacks import Stack
from tests.benchmarks.peers import (
    AT_ONCE,
    ROUNDS,
    Login,
    Peer,
    answers,
    decode_text,
    enter,
    enter_all,
    no_news,
    refuse_errors,
)
from tests.benchmarks.wire import OPEN_S, PeerError, TimedWire, settle

TEXT = "I have it here: " + "x" * 64
LINE = {
    "topic": "chat/v_0123456789abcdef",
    "version": 1234567890,
    "line": {
        "id": "m_0123456789abcdef",
        "at_ms": 1790000000000,
        "party": "patient",
        "name": "Bench Patient",
        "text": TEXT,
    },
}
LACKS = {"visit": "v_0123456789abcdef", "party": "patient", "kind": "audio", "muted": False, "missing": True}
"""The content of the message that two clients of the other servers exchange. It is that of our message about a missing
microphone, whose type the other servers send as the name of the event.
"""

TRIED = 4
PAUSE_S = 0.1
# The other servers do not confirm that a client has joined a room, so clients wait for this time in s.
JOIN_S = 1.0
Heard = Callable[[Any, bytes, int], None]
Act = Callable[[], None]


class Way(NamedTuple):
    """How a message reaches its receiver. `kept`: our store keeps it. `across`: it passes between two workers."""

    kept: bool
    across: bool


class Pair(NamedTuple):
    """Two clients that exchange a message: the function `tell` sends it, and the socket `hears` receives it."""

    tell: Act
    hears: TimedWire


class Racer(NamedTuple):
    """A client that claims. `claim(visit)` returns a future that is True if the client has won, False if it has lost;
    `release(visit)` can be awaited until the visit is released. `worker`: the worker that serves the client.
    """

    claim: Callable[[str], "asyncio.Future[bool]"]
    release: Callable[[str], Awaitable[object]]
    worker: object


class Company(Protocol):
    """The clients of a stack, as a measurement uses them. `news`, `told` and `claimed`: bytes by which an update of the
    queue, a message of a pair, and a claim on the patient's page are recognised. `heard`: called with each message.
    """

    news: bytes
    told: bytes
    claimed: bytes

    async def audience(self, number: int, heard: Heard) -> Sequence[TimedWire]:
        """Return `number` sockets on all workers that subscribe to the queue, and call `heard` with each message."""

    async def makers(self, number: int) -> list[Act]:
        """Return `number` functions, each of which causes one update of the queue."""

    async def pairs(self, number: int, way: Way, heard: Heard) -> list[Pair]:
        """Return `number` pairs. The sockets of a pair are on different workers if `way.across`, otherwise on the same
        worker. `heard`: called with each message that a receiver gets.
        """

    async def racers(self, number: int, heard: Heard) -> tuple[list[Racer], str, dict[TimedWire, object]]:
        """Return (`number` claimers, the visit that they claim, a page of the patient on each worker -> that worker).

        `heard`: called with each message that a page receives.
        """


class Ours:
    """The clients of Greenroom: patients whose answers update the queue, and pairs of a patient and a provider."""

    news, told, claimed = b'"queue.row"', b'"told"', b'"claimed"'

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.endpoint = stack.endpoints[0]
        self._paired = 0

    async def audience(self, number: int, heard: Heard) -> list[Peer]:
        """Return the sockets of `number` staff who are subscribed to the queue. `heard`: called with each message."""
        peers = await enter_all(self.endpoint, self.stack.staff[:number], heard, text=True)
        await _subscribe(peers, "queue")
        return peers

    async def makers(self, number: int) -> list[Act]:
        """Return `number` functions, each of which makes another patient answer, which updates the queue."""
        peers = await enter_all(self.endpoint, self.stack.patients[:number], text=True)
        return [_answering(peer, visit) for peer, visit in zip(peers, self.stack.visits, strict=False)]

    async def pairs(self, number: int, way: Way, heard: Heard) -> list[Pair]:
        """Return `number` pairs. The patient sends a chat message if `way.kept`, otherwise that the microphone is
        missing, or there again. `heard`: called with each message that the provider receives.
        """
        self.told = b'"chat.line"' if way.kept else b'"media.muted"'
        providers = await enter_all(self.endpoint, self.stack.staff[:number], heard, text=True)
        made = []
        mine = slice(self._paired, self._paired + number)  # no other pair uses these visits
        self._paired += number
        for provider, login, visit in zip(
            providers, self.stack.patients[mine], self.stack.visits[mine], strict=True
        ):
            refuse_errors(await provider.ask("on_call", on=True))
            refuse_errors(await provider.ask("visit.claim", visit=visit))
            patient = await self._beside(login, provider.worker, way.across)
            if way.kept:
                refuse_errors(await provider.ask("subscribe", topic=f"chat/{visit}"))
                made.append(Pair(_writing(patient, visit), provider))
            else:
                # In production, the worker that serves the first party to join owns the room, and that is a matter of
                # chance. So in half of the pairs the patient joins first.
                for peer in (provider, patient) if len(made) % 2 else (patient, provider):
                    refuse_errors(await peer.ask("media.join", visit=visit))
                made.append(Pair(_lacking(patient, visit), provider))
        return made

    async def _beside(self, login: Login, worker: str, across: bool, heard: Heard = no_news) -> Peer:
        """Return a socket of `login` on another worker than `worker` if `across`, otherwise on the same worker.

        Connects again until the kernel chooses that worker, or raises PeerError. `heard`: called with each message.
        """
        for _ in range(ROUNDS):
            # Open TRIED connections at the same time: one after another, they would often all come to the
            # worker that accepted the previous one.
            some = await asyncio.gather(
                *(enter(self.endpoint, login, heard, text=True) for _ in range(TRIED))
            )
            fit = next((peer for peer in some if (peer.worker != worker) is across), None)
            for peer in some:
                if peer is not fit:
                    peer.abort()
            if fit is not None:
                return fit
            # On a busy machine, one of the workers may not have accepted any connection; this pause gives it time.
            await asyncio.sleep(PAUSE_S)
        raise PeerError("all connections come to one worker")

    async def racers(self, number: int, heard: Heard) -> tuple[list[Racer], str, dict[TimedWire, object]]:
        """Put `number` providers on call, and subscribe a page of the patient on each worker to the visit.

        Return (the providers as claimers, the visit, page -> its worker).
        """
        peers = await enter_all(self.endpoint, self.stack.staff[:number], text=True)
        for answer in await answers([peer.ask("on_call", on=True) for peer in peers]):
            refuse_errors(answer)
        visit = self.stack.visits[0]
        first = await enter(self.endpoint, self.stack.patients[0], heard, text=True)
        second = await self._beside(self.stack.patients[0], first.worker, across=True, heard=heard)
        pages = [first, second]
        await _subscribe(pages, f"visit/{visit}")
        return [_racing(peer) for peer in peers], visit, {page: page.worker for page in pages}


async def _subscribe(peers: Sequence[Peer], topic: str) -> None:
    for start in range(0, len(peers), AT_ONCE):
        for answer in await answers(
            [p.ask("subscribe", topic=topic) for p in peers[start : start + AT_ONCE]]
        ):
            refuse_errors(answer)


def _answering(peer: Peer, visit: str) -> Act:
    steps = itertools.cycle((("since", "2026-01-01"), ("how-bad", "I can go about my day")))

    def act() -> None:
        step, answer = next(steps)
        _watched(peer.ask("visit.save", visit=visit, step=step, answer=answer, left=True))

    return act


def _writing(peer: Peer, visit: str) -> Act:
    return lambda: _watched(peer.ask("chat.send", visit=visit, text=TEXT))


def _lacking(peer: Peer, visit: str) -> Act:
    report, missing = {"visit": visit, "kind": "audio", "muted": False}, itertools.cycle((True, False))
    return lambda: _watched(peer.ask("media.mute", **report, missing=next(missing)))


def _watched(answer: "asyncio.Future[dict[str, Any]]") -> None:
    """Raise an exception if the server's reply `answer` is an error, so that the run ends."""

    def look(done: "asyncio.Future[dict[str, Any]]") -> None:
        if not done.cancelled() and done.exception() is None and done.result()["type"] == "error":
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an act was refused", "exception": PeerError(done.result()["code"])}
            )

    answer.add_done_callback(look)


def _racing(peer: Peer) -> Racer:
    def claim(visit: str) -> "asyncio.Future[bool]":
        won: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        peer.ask("visit.claim", visit=visit).add_done_callback(
            lambda done: won.set_result(done.result()["type"] == "done")
        )
        return won

    return Racer(claim, lambda visit: peer.ask("visit.release", visit=visit), peer.worker)


class Other(TimedWire):
    """A client of another server, which exchanges events with a name and data.

    The events are sent in the frames of socket.io or as plain JSON.
    """

    def __init__(self, host: str, port: int, heard: Heard, socket_io: bool) -> None:
        super().__init__(host, port, "/socket.io/?EIO=4&transport=websocket" if socket_io else "/")
        self._heard, self._socket_io = heard, socket_io
        self._asked = itertools.count(1)
        self.entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waits: dict[str, asyncio.Future[bool]] = {}

    async def enter(self) -> None:
        """Connect and wait for the greeting. Raises PeerError, OSError or TimeoutError if it does not come."""
        await self.open()
        if self._socket_io:
            async with asyncio.timeout(OPEN_S):
                await self.entered

    def emit(self, name: str, data: Any, answered: bool = False) -> None:
        """Send the event `name` with `data`; if `answered`, ask the server for an acknowledgement."""
        asked = next(self._asked) if answered else None
        if self._socket_io:
            head = "42" if asked is None else f"42{asked}"
            self.say((head + json.dumps([name, data], separators=(",", ":"))).encode())
        else:
            event = {"op": name, "data": data} | ({} if asked is None else {"id": asked})
            self.say(json.dumps(event, separators=(",", ":")).encode())

    def heard(self, payload: bytes) -> None:
        """Answer greetings and pings; pass every other message on to the constructor's function `heard`."""
        if self._socket_io and not payload.startswith(b"42"):
            if payload.startswith(b"0"):
                self.say(b"40")
            elif payload == b"2":
                self.say(b"3")
            elif payload.startswith(b"40") and not self.entered.done():
                self.entered.set_result(None)
            return
        self._heard(self, payload, self.read_ns)

    def lost(self, problem: PeerError) -> None:
        """Make all requests that wait for an answer fail with `problem`."""
        settle([self.entered, *self.waits.values()], problem)
        self.entered.exception() if self.entered.done() and not self.entered.cancelled() else None


class Others:
    """The clients of socket.io, python-socketio and ws. `row`: a row of our queue, which they send as update."""

    news, told, claimed = b'"queue.row"', b'"told"', b'"claimed"'

    def __init__(self, stack: Stack, row: dict[str, Any]) -> None:
        self.stack, self.row = stack, row
        self._numbers = itertools.count()

    async def _enter(self, number: int, heard: Heard, worker: int | None = None) -> list[Other]:
        """Return `number` clients, on all workers, or on `worker` if given. `heard`: called with each message."""
        endpoints = itertools.cycle(
            self.stack.endpoints if worker is None else [self.stack.endpoints[worker]]
        )
        found = [
            Other(endpoint.host, endpoint.port, heard, self.stack.speaks == "socket.io")
            for endpoint in itertools.islice(endpoints, number)
        ]
        for start in range(0, number, AT_ONCE):
            await asyncio.gather(*(other.enter() for other in found[start : start + AT_ONCE]))
        return found

    async def audience(self, number: int, heard: Heard) -> list[Other]:
        """Connect `number` clients that get the queue's updates, and return them. `heard`: called with each message."""
        found = await self._enter(number, heard)
        for other in found:
            other.emit("listen", None)
        await asyncio.sleep(JOIN_S)
        return found

    async def makers(self, number: int) -> list[Act]:
        """Return `number` functions, each of which makes a different client send an update of the queue (a row)."""
        return [_emitting(other, "news", self.row) for other in await self._enter(number, no_news)]

    async def pairs(self, number: int, way: Way, heard: Heard) -> list[Pair]:
        """Return `number` pairs; `way`: how their messages pass. `heard`: called with each message of a receiver."""
        made = []
        for at in range(number):
            hears = (await self._enter(1, heard, at % 2))[0]
            tells = (await self._enter(1, no_news, (at + way.across) % 2))[0]
            me = f"person-{next(self._numbers)}"
            hears.emit("hello", me)
            data = {"to": me, "data": LINE if way.kept else LACKS}
            made.append(Pair(_emitting(tells, "tell", data, answered=True), hears))
        await asyncio.sleep(JOIN_S)
        return made

    async def racers(self, number: int, heard: Heard) -> tuple[list[Racer], str, dict[TimedWire, object]]:
        """Return (`number` claimers, the visit, a page of the patient on each worker -> that worker).

        A claim sets a key in the store that must not exist yet. The pages are in the room of the visit.
        """
        visit = "v_1"
        racing = await self._enter(number, _settled)
        for other in racing:
            other.emit("hello", f"provider-{next(self._numbers)}")
        pages = await self._enter(len(self.stack.endpoints), heard)
        for page in pages:
            page.emit("hello", f"patient:{visit}")
        await asyncio.sleep(JOIN_S)
        endpoints = len(self.stack.endpoints)
        return (
            [_other_racing(other, at % endpoints) for at, other in enumerate(racing)],
            visit,
            {cast(TimedWire, page): at % endpoints for at, page in enumerate(pages)},
        )


def _emitting(other: Other, name: str, data: Any, answered: bool = False) -> Act:
    return lambda: other.emit(name, data, answered)


def _settled(other: Other, payload: bytes, now_ns: int) -> None:
    for name, won in (("won", True), ("lost", False), ("released", True)):
        if f'"{name}"'.encode() in payload:
            waiting = other.waits.pop("released" if name == "released" else "claim", None)
            if waiting is not None and not waiting.done():
                waiting.set_result(won)


def _other_racing(other: Other, worker: int) -> Racer:
    def ask(name: str, visit: str) -> "asyncio.Future[bool]":
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        other.waits["released" if name == "release" else name] = answer
        other.emit(name, visit)
        return answer

    return Racer(lambda visit: ask("claim", visit), lambda visit: ask("release", visit), worker)


async def example(ours: Ours) -> dict[str, Any]:
    """Return a row of our queue without its type, which the other servers send as the name of the event."""
    heard: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def news(peer: Peer, payload: bytes, now_ns: int) -> None:
        if ours.news in payload and not heard.done():
            heard.set_result(decode_text(payload))

    listener = (await ours.audience(1, news))[0]
    act = (await ours.makers(1))[0]
    act()
    async with asyncio.timeout(OPEN_S):
        row = await heard
    act()  # after this second answer, the first answer of a later client changes the row again
    listener.abort()
    row.pop("type")
    return row


async def companies(stacks: Sequence[Stack]) -> dict[str, Company]:
    """Return name of a server -> its clients. The first of `stacks` must be ours."""
    ours = Ours(stacks[0])
    row = await example(ours)
    return {stacks[0].name: ours} | {stack.name: Others(stack, row) for stack in stacks[1:]}
