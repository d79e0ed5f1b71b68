"""Plays the people of a story: each has a connection that resumes on any worker, screens, and a record of all messages.

They follow the protocol as `SignallingClient` and `ReturningClient` do. The story decides when they send which message.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from signalling.clients.client import Received, SignallingClient
from signalling.clients.reconnecting import Subscription
from signalling.errors import ClosedError, RequestError
from signalling.visit.record import Actor
from tests.faults.conftest import ALL
from tests.faults.history import CHAIN, History, Request, Saw
from tests.signalling.clinic import headers

PATIENCE_S = 1.2 if ALL else 2.4
"""If a request has no answer after this time in s, the person reconnects to another worker."""
AGAIN_S = 0.1


class Screen:
    """What a person's page shows of one topic (`shown`), according to the messages that the page has
    received.
    """

    def __init__(self, person: Somebody, topic: str) -> None:
        self.topic = topic
        self.kind = topic.partition("/")[0]
        self.shown: Any = None
        self.refused = False
        # True after the server has answered that this person no longer has the right to see the visit
        self.over = False
        self._person = person
        self.held = Subscription(self._take, self._refuse)

    def _refuse(self, problem: RequestError) -> None:
        self.refused = True

    def _take(self, message: Received) -> None:
        kind, what = self.kind, message["type"].rpartition(".")[2]
        if kind == "queue":
            if what == "snapshot":
                self.shown = {
                    "rows": {row["visit"]: row for row in message["rows"]},
                    "staff": {person["id"]: person for person in message["staff"]},
                }
            elif what == "row":
                self.shown["rows"][message["row"]["visit"]] = message["row"]
            elif what == "gone":
                self.shown["rows"].pop(message["visit"], None)
            else:
                self.shown["staff"][message["staff"]["id"]] = message["staff"]
        elif kind == "visit":
            self.shown = message["visit"]
            # after the end of a visit, the patient's page receives the visit without its claimant
            if self.shown["status"] != "ended":
                self._person.saw(message)
        elif kind == "case":
            self.shown = message["case"]
        elif kind == "place":
            self.shown = {name: message[name] for name in ("place", "waiting", "on_call")}
        elif kind == "chat":
            if what == "snapshot":
                self.shown = {line["id"]: line for line in message["lines"]}
            else:
                self.shown[message["line"]["id"]] = message["line"]
        elif kind == "bell":
            if what == "snapshot":
                items = {item["id"]: item for item in message["items"]}
                self.shown = {"unread": message["unread"], "items": items}
            else:
                self.shown["unread"] = message["unread"]
                if what == "item":
                    self.shown["items"][message["item"]["id"]] = message["item"]


class Somebody:
    """A person of a story, with one page.

    `worker_url()` returns the URL of a worker to connect to, or None if there is none.
    """

    def __init__(
        self,
        actor: Actor,
        http: aiohttp.ClientSession,
        history: History,
        worker_url: Callable[[], str | None],
        subprotocol: str,
    ) -> None:
        self.actor = actor
        self.screens: dict[str, Screen] = {}
        self.page: str | None = None  # the visit that this page shows; None if it shows none
        # the visit that this person has ended most recently; None if there is none
        self.ended: str | None = None
        self._http, self._history, self._worker_url, self._subprotocol = (
            http,
            history,
            worker_url,
            subprotocol,
        )
        self._client: SignallingClient | None = None
        self._open = asyncio.Event()
        self._token: str | None = None
        self._generation = 0
        self._gone = False
        self._again: set[asyncio.Task[None]] = set()
        history.people[actor.id] = actor

    @property
    def here(self) -> bool:
        """Return True if the person has a socket, and has subscribed on it to all topics that the page shows."""
        return self._open.is_set()

    def saw(self, message: Received) -> None:
        """Record who has claimed the visit, according to `message`, which has the visit's state."""
        visit = message["visit"]
        claimant = visit["claimant"]["id"] if visit["claimant"] is not None else None
        self._history.saw.append(Saw(self.actor.id, visit["id"], message["version"], claimant, time.time()))

    # --- the connection of a person

    async def run(self) -> None:
        """Connect, and reconnect after each loss, until `leave` is called."""
        while not self._gone:
            url = self._worker_url()
            client = None if url is None else await self._connect(url)
            if client is None:
                await asyncio.sleep(AGAIN_S)
                continue
            self._client = client
            resumed = client.welcome["resumed"]
            self._generation = self._generation + 1 if resumed else (self._generation // CHAIN + 1) * CHAIN
            self._token = client.welcome["resume"]
            try:
                for screen in list(self.screens.values()):
                    if not screen.over:
                        await self._ask(screen)
                self._open.set()
                if self.page is not None and not resumed:
                    self._later(self.enter(self.page))
                while client.closed_with is None:
                    with contextlib.suppress(TimeoutError):
                        await client.wait_closed(60)
            except (ClosedError, TimeoutError):
                client.vanish()
            finally:
                self._open.clear()
                await client.close()

    async def _connect(self, url: str) -> SignallingClient | None:
        try:
            return await SignallingClient.connect(
                self._http,
                url,
                "staff" if self.actor.is_staff else "patient",
                resume=self._token,
                or_anew=True,
                headers=headers(self.actor),
                timeout_s=PATIENCE_S,
                listener=self._listen,
                subprotocol=self._subprotocol,
            )
        except (ClosedError, RequestError, aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def _ask(self, screen: Screen) -> None:
        held, client = screen.held, self._client
        assert client is not None
        mine = {} if held.epoch is None else {"epoch": held.epoch, "version": held.version}
        while True:
            try:
                await client.request("subscribe", topic=screen.topic, **mine)
                return
            except RequestError as refused:
                if refused.code != "unavailable":
                    screen.refused = True
                    return
                await asyncio.sleep(AGAIN_S)

    def _listen(self, message: Received) -> None:
        if "reply_to" in message:
            last = [sent for sent in self._history.requests if sent.person == self.actor.id][-4:]
            what = f"{message['type']} {message.get('code', '')} to {message['reply_to']}"
            asked = ", ".join(f"{sent.request} {sent.answer}" for sent in last)
            self._history.twice.append((time.time(), f"{self.actor.id}: {what} once more, after {asked}"))
            return
        screen = self.screens.get(message.get("topic", ""))
        if screen is not None and message["type"] == "gone":
            screen.over = True
        elif screen is not None and "version" in message:
            screen.held.take(message)
        elif message["type"] == "media.gone" and self.page == message["visit"]:
            self._later(self.join(message["visit"]))

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    def vanish(self) -> None:
        """Drop the person's socket without a close frame."""
        if self._client is not None:
            self._client.vanish()

    async def leave(self) -> None:
        """End the person's connection, and never reconnect."""
        self._gone = True
        for task in list(self._again):
            task.cancel()
        await asyncio.gather(*self._again, return_exceptions=True)
        if self._client is not None:
            self._client.vanish()

    async def reload(self) -> None:
        """Close the page and open a new page, which has another connection."""
        client, self._token = self._client, None
        if client is not None and self.here:
            with contextlib.suppress(ClosedError, TimeoutError):
                await client.send({"type": "bye", "id": 1_000_000})

    # --- the requests of a person

    async def say(self, request: str, visit: str | None = None, **fields: Any) -> Request | None:
        """Send a request about a visit; return the `Request`, to which the answer is added when it comes.

        `request`: the type of the request.

        Return None if there was no socket for PATIENCE_S.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._open.wait()
        except TimeoutError:
            return None
        client = self._client
        assert client is not None
        number = len(self._history.requests)
        if request == "visit.save" and fields["answer"] == "":
            fields["answer"] = f"answer {number}"
        elif request == "chat.send":
            fields["text"] = f"line {number}"
        sent = Request(number, self.actor.id, visit, request, fields, self._generation, time.time())
        self._history.requests.append(sent)
        about = {} if visit is None else {"visit": visit}
        try:
            answer = await client.request(request, **about, **fields)
            sent.answer, sent.version = "done", answer.get("version", 0)
        except RequestError as refused:
            sent.answer = refused.code
        except ClosedError:
            pass
        except TimeoutError:
            client.vanish()
        sent.answered_s = time.time()
        return sent

    async def hold(self, topic: str) -> None:
        """Show a topic on the page from now on."""
        if topic not in self.screens:
            self.screens[topic] = screen = Screen(self, topic)
            if self.here:
                with contextlib.suppress(ClosedError, TimeoutError):
                    await self._ask(screen)

    async def let_go(self, topic: str) -> None:
        """Stop showing a topic on the page."""
        if self.screens.pop(topic, None) is not None and self.here and self._client is not None:
            with contextlib.suppress(RequestError, ClosedError, TimeoutError):
                await self._client.request("unsubscribe", topic=topic)

    async def enter(self, visit: str) -> None:
        """Send that the person has opened the page of `visit`. If the person's page shows this visit, join its
        media.
        """
        await self.say("visit.enter", visit)
        await self.join(visit)

    async def join(self, visit: str) -> None:
        """Join the visit's media, if the page shows this visit."""
        if self.page == visit:
            await self.say("media.join", visit)
