"""What patients and providers have in common: a browser, a connection that comes back, and faults on purpose.

When to come back is `signalling.clients.reconnecting`'s; its `ReturningClient` is not used, for these people say
again what was lost, go wrong on purpose, and are a thousand on a core, with no task each. What a visit looks like to
them stands in `room`, what they do in `people`. Every wait ends after `timeout_s`. Times in `at` are of
`time.monotonic`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, ClassVar, Self

from signalling.clients.client import SignallingClient, accepted
from signalling.clients.reconnecting import DRAINS, LOST, MOST_S, pause_s, stays_away
from signalling.errors import ClosedError, RequestError
from web.peers.errors import EntryError, RefusedError
from web.peers.media.media import Sources
from web.peers.people.entry import Browser, Clinic
from web.peers.people.room import Room
from web.peers.people.wire import LeanClient

GIVE_UP_S = 4 * MOST_S
AGAIN_S = 0.25  # after `unavailable`


@dataclass(slots=True)
class Seen:
    """What one person met with: refusals by code, close codes of lost sockets, how often they came back."""

    refusals: list[str] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    resumed: int = 0
    returned: int = 0
    problems: list[Exception] = field(default_factory=list)
    """What failed behind the scenes, such as media that could not be joined."""


class Person(ABC):
    """A synthetic person at a clinic: `Patient` and `Provider` are the two kinds. An async context manager.

    `at` is a clinic's address or an open `Clinic` that several share. `media` is `none`, `light`, `real` or `Sources`.
    """

    role: ClassVar[str]

    def __init__(
        self,
        at: Clinic | str,
        *,
        media: Sources | str = "none",
        timeout_s: float = 30.0,
        seed: int = 1,
        ca: Path | None = None,
        insecure: bool = False,
    ) -> None:
        self.clinic = at if isinstance(at, Clinic) else Clinic(at, ca=ca, insecure=insecure)
        self.browser = Browser(self.clinic)
        self.sources = Sources(media) if isinstance(media, str) else media
        self.timeout_s = timeout_s
        self.seen = Seen()
        self.at: dict[str, float] = {}
        self.rooms: dict[str, Room] = {}
        self.me: dict[str, Any] = {}
        self.gone: int | None = None
        """The close code after which this person does not come back."""
        self.random = Random(seed)  # noqa: S311 - reproducible
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.client: SignallingClient | None = None
        self.topics: list[str] = []
        self._standing = asyncio.Event()
        self._leaving = False
        self._resume: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the connection

    async def connect(self, resume: str | None = None) -> None:
        """Open the WebSocket and say hello; without the token where it is refused. Raises RefusedError, EntryError."""
        client = LeanClient(await self.browser.socket(), self.timeout_s, self._hear)
        try:
            await client.hello(self.role, resume, or_anew=True)
        except RequestError as refused:
            raise self.refused(refused) from None
        except ClosedError as closed:
            raise RefusedError("lost", f"closed with {closed.code}") from None
        except TimeoutError:
            raise RefusedError("no_answer", f"to hello within {self.timeout_s:.0f} s") from None
        self.client, self._resume, self.me = client, client.welcome["resume"], client.welcome["me"]
        self._leaving = False
        self._standing.set()
        client.on_close(lambda: self._lost(client))

    async def subscribe(self, *topics: str) -> None:
        """Hold these topics fresh, over every return. Raises RefusedError."""
        self.topics += [topic for topic in topics if topic not in self.topics]
        await self.together(*(("subscribe", {"topic": topic}) for topic in topics))

    async def together(self, *requests: tuple[str, dict[str, Any]]) -> None:
        """Send several requests at once and return when all are answered. Raises RefusedError."""
        client = self.client
        if client is None or not self._standing.is_set():
            for kind, fields in requests:
                await self.request(kind, **fields)
            return
        try:
            async with asyncio.timeout(self.timeout_s):
                asked = [await client.ask(kind, **fields) for kind, fields in requests]
                answers = [await answer for answer in asked]
        except ClosedError:
            self._lost(client)
            await self.together(*requests)
            return
        except TimeoutError:
            raise RefusedError("no_answer", f"within {self.timeout_s:.0f} s") from None
        for (kind, fields), answer in zip(requests, answers, strict=True):
            if answer["type"] == "error" and answer["code"] == "unavailable":
                await self.request(kind, **fields)
            else:
                self._yes(answer)

    async def request(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        """Send a request and return its answer; said again when the socket was lost or the store did not answer.

        Raises RefusedError (also as `lost` when this person is gone, `no_answer` when time is up).
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                while True:
                    await self._stands()
                    client = self.client
                    assert client is not None
                    try:
                        answer = await (await client.ask(kind, **fields))
                    except ClosedError:
                        self._lost(client)
                        continue
                    if answer["type"] == "error" and answer["code"] == "unavailable":
                        await asyncio.sleep(AGAIN_S)
                        continue
                    return self._yes(answer)
        except TimeoutError:
            raise RefusedError("no_answer", f"to {kind} within {self.timeout_s:.0f} s") from None

    async def _stands(self) -> None:
        while not self._standing.is_set():
            if self.gone is not None:
                raise RefusedError("lost", f"closed with {self.gone}")
            await self._standing.wait()

    def _yes(self, answer: dict[str, Any]) -> dict[str, Any]:
        try:
            return accepted(answer)
        except RequestError as refused:
            raise self.refused(refused) from None

    def refused(self, problem: RequestError) -> RefusedError:
        """Note a refusal; returns it to be raised."""
        self.seen.refusals.append(problem.code)
        return RefusedError(problem.code, str(problem).partition(": ")[2], problem.details)

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float | None = None) -> None:
        """Return once `condition()` holds, asked again at whatever this person hears.

        Raises RefusedError when they are gone, TimeoutError saying `what` was waited for.
        """
        if not condition() and self.gone is None:
            # Asked where a message comes in: waking a task for each costs more than the rest of it.
            waiter = (condition, asyncio.get_running_loop().create_future())
            self._waiters.append(waiter)
            within_s = self.timeout_s if timeout_s is None else timeout_s
            try:
                async with asyncio.timeout(within_s):
                    await waiter[1]
            except TimeoutError:
                raise TimeoutError(f"{what}: not within {within_s:g} s") from None
            finally:
                self._waiters.remove(waiter)
        if not condition():
            raise RefusedError("lost", f"closed with {self.gone}")

    def tell(self) -> None:
        """Something has changed: whoever waits for it goes on."""
        for condition, waiter in self._waiters:
            if not waiter.done() and (self.gone is not None or condition()):
                waiter.set_result(None)

    # --- what comes in

    def _hear(self, message: dict[str, Any]) -> None:
        self.hear(message)
        if self._waiters:
            self.tell()

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message that answers nothing: what is of a visit goes to its room."""
        topic = message.get("topic", "")
        if message["type"] == "gone":
            self.topics = [held for held in self.topics if held != topic]
            return
        room = self.rooms.get(topic.partition("/")[2] if topic else message.get("visit", ""))
        if room is not None:
            room.hear(message)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; what goes wrong with it is among `seen.problems`."""
        task = asyncio.get_running_loop().create_task(self._tried(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tried(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as problem:  # noqa: BLE001 - whatever it was, it is counted
            self.seen.problems.append(problem)
            self.tell()

    # --- coming back

    def _lost(self, client: SignallingClient) -> None:
        if client is not self.client or self._leaving:
            return
        self.client = None
        self._standing.clear()
        code = client.closed_with or LOST
        self.seen.closes.append(code)
        if stays_away(code):
            self._is_gone(code)
        else:
            self.spawn(self._come_back(code))

    def _is_gone(self, code: int) -> None:
        self.gone = code
        self._standing.set()  # whoever waits for the socket hears that there is none
        self._standing.clear()
        self.tell()

    async def _come_back(self, code: int) -> None:
        attempt, waited_s = 0, 0.0
        while not self._leaving:
            for_s = pause_s(code, attempt, self.random.random())
            waited_s += for_s
            await asyncio.sleep(for_s)
            try:
                await self._return(self._resume)
            except (RefusedError, EntryError):
                if waited_s > GIVE_UP_S:
                    self._is_gone(code)
                    raise
                attempt += code != DRAINS
                code = LOST
            else:
                return

    async def _return(self, resume: str | None) -> None:
        """A new socket, on which everything is as it was."""
        await self.connect(resume)
        assert self.client is not None
        resumed = bool(self.client.welcome["resumed"])
        self.seen.resumed += resumed
        self.seen.returned += not resumed
        await self._hold_again()
        for room in list(self.rooms.values()):
            await room.returned(resumed=resumed)

    async def _hold_again(self) -> None:
        """Subscribe to what was held; a right to some of it may have ended meanwhile. Raises RefusedError."""
        try:
            await self.together(*(("subscribe", {"topic": topic}) for topic in self.topics))
        except RefusedError as refused:
            if refused.code != "not_found":
                raise
            for topic in list(self.topics):
                try:
                    await self.request("subscribe", topic=topic)
                except RefusedError as ended:
                    if ended.code != "not_found":
                        raise
                    self.topics = [held for held in self.topics if held != topic]

    # --- faults on purpose

    async def reload(self) -> None:
        """The page is loaded anew: the socket closes without bye, nothing is resumed, the visit's page comes back."""
        client, self._leaving = self.client, True
        self._standing.clear()
        if client is not None:
            await client.close()
        self.seen.closes.append(DRAINS)
        await self.browser.get(self.page)
        for room in self.rooms.values():
            await room.drop_media()
        await self._return(None)

    def vanish(self, *, forever: bool = False) -> None:
        """The socket is lost without a word, as when a phone loses its network. The person comes back by themselves,
        unless `forever`: then nobody says goodbye.
        """
        if forever:
            self._leaving = True
        if self.client is not None:
            self.client.vanish()

    def slow_reader(self) -> None:
        """Read nothing any more, while the server goes on sending: it closes with 4002 when too much is unread."""
        if self.client is not None:
            self.client.stop_reading()

    # --- coming and going

    @property
    @abstractmethod
    def page(self) -> str:
        """The path of the page that this person has open."""

    async def leave(self) -> None:
        """Close the page for good, with a bye and without waiting for more than that."""
        self._leaving = True
        for task in list(self._tasks):
            task.cancel()
        for room in self.rooms.values():
            await room.drop_media()
        if self.client is not None:
            await self.client.bye()
            self.client = None
        self.browser.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()
