"""Plays patients and providers for scripts: `async with Patient(url) as p: await p.meet_now(); …`.

`Patient` and `Provider` do what people do on the pages. A `Room` is one visit as one of these people sees it.
What they observe is in the attributes `seen` and `at` of the person, and in `at` and `flow` of the `Room`.
Methods of `Person` and `Room` cause deliberate faults.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from web.peers.errors import EntryError, RefusedError, VisitEndedError
from web.peers.people.answers import asked, information, plausible
from web.peers.people.entry import Clinic, wrong_fields
from web.peers.people.person import Person, Seen
from web.peers.people.room import Room

__all__ = [
    "Clinic",
    "EntryError",
    "Patient",
    "Person",
    "Provider",
    "RefusedError",
    "Room",
    "Seen",
    "VisitEndedError",
]

BUSY_S = 2.0
WITHDRAW_S = 10.0
TRIES = 5
# While the server asks new patients to wait, `arrive` opens the calendar again and again, at most for this time in s.
LINE_S = 600.0


class Patient(Person):
    """A patient who wants a visit now. `number` makes the name unique; `how`: the arguments of `Person`."""

    role: ClassVar[str] = "patient"

    def __init__(self, at: Clinic | str, *, number: int = 1, **how: Any) -> None:
        super().__init__(at, **how)
        self.number = number
        self.name = ""

    @property
    def room(self) -> Room:
        """The patient's visit. Raises LookupError before `meet_now`."""
        if not self.rooms:
            raise LookupError("there is no visit before meet_now()")
        return next(iter(self.rooms.values()))

    @property
    def page(self) -> str:
        """The path of the page of this patient's visit."""
        return f"{self.clinic.path}/visit"

    @property
    def waited_s(self) -> float:
        """The time in s from sending the patient information until the status `claimed` was received."""
        return self.room.at["claimed"] - self.at["meet_now"]

    async def arrive(self) -> None:
        """Open the public-facing calendar. If a busy server shows a page that asks to wait, open it again later.

        `at["arrive"]` is the time of the last try. Raises EntryError if the calendar is not shown.
        """
        began = self.at.setdefault("arrive", time.monotonic())
        page = await self.browser.get(self.clinic.path)
        while page.status == 503 and page.again_s is not None and time.monotonic() - began < LINE_S:
            self.seen.asked_to_wait += 1
            await asyncio.sleep(page.again_s)
            self.at["arrive"] = time.monotonic()
            page = await self.browser.get(self.clinic.path)
        if page.status != 200:
            raise EntryError(f"the calendar of {self.clinic.organisation} answers with {page.status}")

    async def meet_now(self, **fields: str) -> str:
        """Press Meet Now, send the patient information (made up, except for `fields`) and enter the setup guide.

        The patient is then in the queue; return the visit's id. Raises EntryError if a page does not answer as
        expected, and RefusedError with one of these codes: `closed_here` if Meet Now is closed, `form` if the server
        refuses the information, `too_many` if it opens no further visits from this address for now.
        """
        if "arrive" not in self.at:
            await self.arrive()
        try:
            language = await self.clinic.language(self.browser)
        except EntryError as problem:
            raise RefusedError("closed_here", str(problem)) from None
        form = information(self.number, language, **fields)
        self.name = form["name"]
        self.at["meet_now"] = time.monotonic()
        answer = await self.browser.post(f"{self.clinic.path}/information", form)
        if answer.status == 429:
            raise RefusedError(
                "too_many", "from one address: a server for load tests has limits.visits_per_address = 0"
            )
        if answer.status == 409:
            raise RefusedError("closed_here", "the clinic has closed meanwhile")
        if answer.status != 303:
            wrong = ", ".join(wrong_fields(answer)) or f"status {answer.status}"
            raise RefusedError("form", f"the patient information is refused: {wrong}")
        if answer.location != self.page:
            raise RefusedError("closed_here", "the way leads back to the calendar")
        await self.browser.get(self.page)
        await self.connect()
        assert self.client is not None
        visit = str(self.client.welcome["visit"])
        self.rooms[visit] = Room(self, visit)
        self.topics = [f"{topic}/{visit}" for topic in ("visit", "case", "place")]
        subscriptions = [("subscribe", {"topic": topic}) for topic in self.topics]
        await self.together(*subscriptions, ("visit.enter", {"visit": visit}))
        return visit

    async def fill_in(
        self, answers: Mapping[str, Any] | None = None, *, over_s: float = 0.0, drafts: int = 0
    ) -> None:
        """Answer all steps of the setup guide, spread over `over_s` seconds.

        `answers`: step id -> answer; answers to all other steps are made up. `drafts`: the number of half-typed
        answers to send before each text answer, as a browser does while a person types. The patient continues after
        a claim, and stops when the visit ends.
        Raises RefusedError if the server refuses an answer.
        """
        try:
            await self._answer(dict(answers or {}), over_s, drafts)
        except RefusedError as refused:
            if refused.code != "wrong_status":
                # Only `wrong_status` is ignored, because it means that the visit has just ended.
                raise

    async def _answer(self, given: dict[str, Any], over_s: float, drafts: int) -> None:
        room = self.room
        await self.until(lambda: bool(room.case), "the setup guide")
        known: dict[str, Any] = dict(room.case["answers"])
        steps = room.case["steps"]
        pause_s = over_s / max(1, len(asked(steps, known)))
        number = 0
        while number < len(todo := asked(steps, known)):
            step = todo[number]
            number += 1
            if pause_s and await self._ends_within(pause_s):
                return
            answer = given[step["id"]] if step["id"] in given else plausible(step, self.name)
            if step["kind"] == "text" and isinstance(answer, str):
                for draft in range(1, drafts + 1):
                    await self._save(step["id"], answer[: len(answer) * draft // (drafts + 1)], left=False)
            known[step["id"]] = answer
            await self._save(step["id"], answer, left=True)
        await self.request("visit.finish", visit=room.visit)

    async def _save(self, step: str, answer: Any, *, left: bool) -> None:
        await self.request("visit.save", visit=self.room.visit, step=step, answer=answer, left=left)

    async def _ends_within(self, pause_s: float) -> bool:
        return await self.room.talk(pause_s) < pause_s

    async def pulled_in(self, timeout_s: float | None = None) -> Room:
        """Wait until a provider has claimed the visit and the media is connected; return the room.

        Raises VisitEndedError if the visit ended instead, RefusedError if the server refuses to join the media, and
        TimeoutError if there is no claim within `timeout_s` seconds, or no media MEDIA_S seconds after it.
        """
        await self.room.reaches("claimed", "live", timeout_s=timeout_s)
        if self.room.media is None:
            await self.room.connect()
        return self.room

    async def answer(self, text: str) -> None:
        """Answer a message of staff while waiting, if the clinic allows answers; `room.lines` has the messages.

        Raises RefusedError with the code `wrong_status` if the patient no longer waits, and `limit_reached` if staff
        must write first.
        """
        await self.subscribe(f"chat/{self.room.visit}")
        await self.room.say(text)

    async def withdraw(self) -> None:
        """Leave the visit and end it. It ends as withdrawn, or as completed if it was live before.

        Raises RefusedError if the server refuses it, for example because the visit has expired.
        """
        await self.request("visit.withdraw", visit=self.room.visit)

    async def leave(self) -> None:
        """Close the page; if the patient still waits, withdraw first, so that no visit stays in the queue."""
        if (
            not self._leaving
            and self.client is not None
            and self.rooms
            and self.room.status in ("queued", "")
        ):
            try:
                async with asyncio.timeout(WITHDRAW_S):
                    await self.withdraw()
            except (RefusedError, TimeoutError):
                # The visit cannot be withdrawn: it has ended at this moment in another way, or the server does not
                # answer.
                pass
        await super().leave()


class Provider(Person):
    """A provider. `email` and `password` are for the sign-in; `how` are the arguments of `Person`.

    `rows`: visit id -> the row of this visit in On-Demand Requests, the list of waiting patients. `on_row` is
    called with the visit's id when a row is new or has changed.
    """

    role: ClassVar[str] = "staff"

    def __init__(self, at: Clinic | str, email: str, password: str, **how: Any) -> None:
        super().__init__(at, **how)
        self.email = email
        self._password = password
        self.rows: dict[str, dict[str, Any]] = {}
        self.on_row: Callable[[str], None] = lambda _: None
        self._version = -1

    @property
    def page(self) -> str:
        """The path of the page of the Sessions List, which this provider has open."""
        return f"{self.clinic.path}/staff"

    @property
    def waiting(self) -> list[str]:
        """The ids of the visits in the queue, the longest wait first."""
        order = sorted(self.rows.values(), key=lambda row: (row["number"], row["arrived_ms"], row["visit"]))
        return [row["visit"] for row in order]

    async def sign_in(self) -> None:
        """Sign in and open Sessions List. Raises EntryError if sign-in is refused."""
        for _ in range(TRIES):
            form = {"email": self.email, "password": self._password}
            answer = await self.browser.post(f"{self.page}/sign-in", form)
            if answer.status != 503:
                break
            await asyncio.sleep(BUSY_S * self.random.random())
        reasons = {
            404: f"there is no organisation {self.clinic.organisation} at {self.clinic.origin}",
            422: f"the email {self.email} and its password do not belong together",
            429: "there were too many wrong passwords from this address; wait half an hour",
            503: "too many people sign in at this moment; try again",
        }
        if answer.status != 303:
            raise EntryError(reasons.get(answer.status, f"the sign-in answers with {answer.status}"))
        if answer.location.endswith("/sign-in/code"):
            raise EntryError(
                f"{self.email} has two-factor sign-in, which takes a phone: name staff without it"
            )
        await self.browser.get(self.page)
        await self.connect()
        await self.subscribe("queue", "sessions", "bell")

    async def on_call(self, *, on: bool = True) -> None:
        """Switch On-Call on or off. Raises RefusedError if the server refuses it."""
        await self.request("on_call", on=on)

    async def write(self, visit: str, text: str) -> None:
        """Write to a patient who waits. Raises RefusedError if the server refuses it."""
        await self.request("chat.send", visit=visit, text=text)

    async def claim(self, visit: str) -> Room:
        """Claim this visit, open its page and connect the media; return the room.

        Raises RefusedError if the server refuses the claim. If a colleague was first, the error's code is
        `already_claimed` and its `details` name the colleague.
        """
        room = Room(self, visit)
        room.at["claim"] = time.monotonic()
        await self.request("visit.claim", visit=visit)
        room.at["claim_answered"] = time.monotonic()
        self.rooms[visit] = room
        topics = [f"{topic}/{visit}" for topic in ("visit", "case")]
        self.topics += topics
        subscriptions = [("subscribe", {"topic": topic}) for topic in topics]
        await self.together(*subscriptions, ("visit.enter", {"visit": visit}))
        await room.connect()
        return room

    async def claim_next(self, timeout_s: float | None = None) -> Room:
        """Claim the patient who has waited longest; if nobody waits, wait for a patient. Return the room.

        Patients whom a colleague has claimed, or who have left, are skipped. Raises TimeoutError if no other
        patient has come `timeout_s` seconds after the call (None: the person's own time limit), and RefusedError if the
        server refuses the claim for another reason.
        """
        lost: set[str] = set()
        within_s = self.timeout_s if timeout_s is None else timeout_s
        end = time.monotonic() + within_s
        while True:
            try:
                await self.until(
                    lambda: not lost.issuperset(self.rows), "somebody in the queue", end - time.monotonic()
                )
            except TimeoutError:
                raise TimeoutError(f"somebody in the queue: not within {within_s:g} s") from None
            visit = next(visit for visit in self.waiting if visit not in lost)
            try:
                return await self.claim(visit)
            except RefusedError as refused:
                if refused.code not in ("already_claimed", "wrong_status", "not_found"):
                    raise
                lost.add(visit)

    async def forget(self, room: Room) -> None:
        """Close a visit's page and end the subscriptions to its topics. Raises RefusedError for a refused request."""
        self.rooms.pop(room.visit, None)
        await room.drop_media()
        topics = [topic for topic in self.topics if topic.endswith(f"/{room.visit}")]
        self.topics = [topic for topic in self.topics if topic not in topics]
        requests = [("unsubscribe", {"topic": topic}) for topic in topics]
        await self.together(*requests, ("visit.leave", {"visit": room.visit}))

    def receive(self, message: dict[str, Any]) -> None:
        """Handle a message that this provider's connection has received about the queue (PROTOCOL.md#queue) or a
        visit.
        """
        if message.get("topic") != "queue":
            super().receive(message)
            return
        kind = message["type"]
        if kind == "queue.snapshot":
            self._version = message["version"]
            self.rows = {row["visit"]: row for row in message["rows"]}
            for visit in self.rows:
                self.on_row(visit)
        elif message["version"] > self._version:
            self._version = message["version"]
            if kind == "queue.row":
                row = message["row"]
                self.rows[row["visit"]] = row
                self.on_row(row["visit"])
            elif kind == "queue.gone":
                self.rows.pop(message["visit"], None)
