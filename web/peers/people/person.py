"""Contains what patients and providers have in common: a browser, a connection that reconnects, and deliberate faults.

`signalling.clients.reconnecting` defines when to reconnect. Its class `ReturningClient` is not used, because it sends
no lost request again, causes no deliberate fault, and needs a task for each person; here a thousand people run on one
core. `room.py` defines a visit as one person sees it; `people.py` defines what patients and providers do. Every wait
ends after `timeout_s`. Times in an `at` attribute are values of `time.monotonic`, in s.
"""

from __future__ import annotations

import asyncio
import time
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
# The pause in s before a request is sent again after the answer `unavailable`.
AGAIN_S = 0.25


@dataclass(slots=True)
class Seen:
    """Problems that one person met: codes of refused requests, close codes of lost sockets, number of reconnections.

    `away_s`: for each lost socket, the seconds until a new socket was subscribed to all topics. `asked_to_wait`: how
    often a server that had too much work asked this person to wait before the first page.
    """

    refusals: list[str] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    resumed: int = 0
    returned: int = 0
    asked_to_wait: int = 0
    away_s: list[float] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)
    """Errors of work in the background, such as joining the media."""


class Person(ABC):
    """A synthetic person at a clinic, as an async context manager; `Patient` and `Provider` are the two kinds.

    `at`: the address of a clinic, or a `Clinic` that several people share. `media`: `none`, `light` (packets
    without encoding), `real` (encoded with VP8 and Opus), or `Sources` with further settings.
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
        """The close code that made this person stop reconnecting; None if there was none."""
        self.random = Random(seed)  # noqa: S311 - a seed repeats all random choices
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.client: SignallingClient | None = None
        self.topics: list[str] = []
        self._standing = asyncio.Event()
        self._leaving = False
        self._resume: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- methods that connect and send requests

    async def connect(self, resume: str | None = None) -> None:
        """Open the WebSocket and send hello with the token `resume`, if given; if the server refuses the token, send
        hello without a token.

        Raises RefusedError if the server refuses the hello, and EntryError if it refuses the WebSocket or does not
        answer.
        """
        client = LeanClient(await self.browser.socket(), self.timeout_s, self._receive)
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
        """Subscribe to topics of PROTOCOL.md#topics, such as "queue", now and after every reconnection.

        Raises RefusedError if the server refuses a topic.
        """
        self.topics += [topic for topic in topics if topic not in self.topics]
        await self.together(*(("subscribe", {"topic": topic}) for topic in topics))

    async def together(self, *requests: tuple[str, dict[str, Any]]) -> None:
        """Send several requests at once; return None when all answers have arrived.

        Raises RefusedError for the first refusal.
        """
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
        """Send a request and return its answer; send it again if the socket was lost or the store did not answer.

        `kind`: the request's type; `fields`: its fields. Raises RefusedError with the code of the refusal, with
        `lost` if this person does not reconnect, or with `no_answer` after `timeout_s` seconds.
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
        """Record in `seen` that the server refused a request; return the error to raise."""
        self.seen.refusals.append(problem.code)
        return RefusedError(problem.code, str(problem).partition(": ")[2], problem.details)

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float | None = None) -> None:
        """Wait until `condition()` is true; the condition is checked again at each message that this person receives.

        `what`: names the condition in the error's text. Raises RefusedError if this person does not reconnect, and
        TimeoutError after `timeout_s` seconds (None: the person's own time limit).
        """
        if not condition() and self.gone is None:
            # The condition is checked by the code that receives messages. To wake a task for each message would cost
            # more CPU than all other work.
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

    def wake(self) -> None:
        """End each waiting call of `until` whose condition is true; end all if this person does not reconnect."""
        for condition, waiter in self._waiters:
            if not waiter.done() and (self.gone is not None or condition()):
                waiter.set_result(None)

    # --- methods that receive messages

    def _receive(self, message: dict[str, Any]) -> None:
        self.receive(message)
        if self._waiters:
            self.wake()

    def receive(self, message: dict[str, Any]) -> None:
        """Handle a message that is not the answer to a request; pass messages about a visit to its `Room`."""
        topic = message.get("topic", "")
        if message["type"] == "gone":
            self.topics = [held for held in self.topics if held != topic]
            return
        room = self.rooms.get(topic.partition("/")[2] if topic else message.get("visit", ""))
        if room is not None:
            room.receive(message)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this coroutine in the background; if it raises an exception, add the exception to `seen.problems`."""
        task = asyncio.get_running_loop().create_task(self._tried(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tried(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as problem:  # noqa: BLE001 - an exception of any class is recorded
            self.seen.problems.append(problem)
            self.wake()

    # --- methods that reconnect after a lost socket

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
        # This wakes the requests that wait for a new socket. They find `gone` set, and raise an error.
        self._standing.set()
        self._standing.clear()
        self.wake()

    async def _come_back(self, code: int) -> None:
        attempt, waited_s = 0, 0.0
        lost_at = time.monotonic()
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
                self.seen.away_s.append(time.monotonic() - lost_at)
                return

    async def _return(self, resume: str | None) -> None:
        """Open a new socket; subscribe to the topics again, and restore the rooms.

        `resume`: the token of the lost connection, None to begin a new connection.
        """
        await self.connect(resume)
        assert self.client is not None
        resumed = bool(self.client.welcome["resumed"])
        self.seen.resumed += resumed
        self.seen.returned += not resumed
        await self._hold_again()
        for room in list(self.rooms.values()):
            await room.returned(resumed=resumed)

    async def _hold_again(self) -> None:
        """Subscribe to all topics again; remove topics that this person may no longer see.

        Raises RefusedError if the server refuses a topic for another reason.
        """
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

    # --- methods that cause deliberate faults

    async def reload(self) -> None:
        """Reload the page as a browser does: close the socket without bye, then open the page with a new connection.

        If the page does not open, raise EntryError or RefusedError, and try again until it does.
        """
        client, self._leaving = self.client, True
        self._standing.clear()
        if client is not None:
            await client.close()
        self.seen.closes.append(DRAINS)
        try:
            await self.browser.get(self.page)
            for room in self.rooms.values():
                await room.drop_media()
            await self._return(None)
        except (EntryError, RefusedError):
            self._resume, self._leaving = None, False
            self.spawn(self._come_back(LOST))
            raise

    def vanish(self, *, forever: bool = False) -> None:
        """Cut the socket without a close frame, like a phone that loses its network.

        The person reconnects, unless `forever` is true.
        """
        if forever:
            self._leaving = True
        if self.client is not None:
            self.client.vanish()

    def slow_reader(self) -> None:
        """Stop reading while the server continues to send; the server closes with 4002 when too much is unread."""
        if self.client is not None:
            self.client.stop_reading()

    # --- methods about the page that this person has open

    @property
    @abstractmethod
    def page(self) -> str:
        """The path of the page that this person has open."""

    async def leave(self) -> None:
        """Close the page: send bye without waiting for a reply, and do not connect again."""
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
