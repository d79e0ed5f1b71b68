"""Holds one visit as one person sees it: its status, the person's actions, the call, and what was received.

This module uses the topics `visit/…`, `case/…` and `place/…` of PROTOCOL.md#topics, and the messages about
media. Times in `at` are values of `time.monotonic`, in s: when each status was first received, and when this
person pressed a button.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from web.peers.errors import VisitEndedError
from web.peers.media.flow import Flow, Media

if TYPE_CHECKING:
    from web.peers.people.person import Person

MEDIA_S = 20.0
OPEN = ("queued", "claimed", "live")


class Room:
    """A visit as one person sees it. `state`, `case` and `place`: the content of the newest message of each topic."""

    def __init__(self, person: Person, visit: str) -> None:
        self.person = person
        self.visit = visit
        self.state: dict[str, Any] = {}
        self.case: dict[str, Any] = {}
        self.place: dict[str, Any] = {}
        self.at: dict[str, float] = {}
        self.lines: list[dict[str, Any]] = []
        self.muted: dict[tuple[str, str], bool] = {}
        """(party, kind of media) -> True if that party has switched it off, False if it has switched it on again."""
        self.paths: dict[str, str] = {}
        """Party -> the `path` of the last message `media.path` about it: `open`, `lost` or `none`."""
        self.media: Media | None = None
        self.flow = Flow()
        """The counts of received picture and sound; all zero without media."""
        self._versions: dict[str, int] = {}
        self._epoch = ""
        self._joined = False
        self._answering = asyncio.Lock()

    @property
    def status(self) -> str:
        """The status of the visit: `queued`, `claimed`, `live`, `ended`, or "" before the first state has arrived."""
        return str(self.state.get("status", ""))

    # --- methods that act as the person does on the page

    async def connect(self) -> None:
        """Join the call's media, and wait until packets can be sent.

        The server forwards no media before patient and provider have pressed Start Session. Raises RefusedError if
        the server refuses to join, and TimeoutError after MEDIA_S seconds.
        """
        before, self.media = self.media, self.person.sources.open(self.person.wake, self.flow)
        if before is not None:
            await before.close()
        if self.media is None:
            return
        self._joined = True
        await self.person.request("media.join", visit=self.visit)
        await self.media.wait_connected(MEDIA_S)

    async def start(self) -> None:
        """Press Start Session, which switches the camera on.

        The other side sees the picture after both people have pressed the button. Raises RefusedError if the server
        refuses the request.
        """
        if self.media is not None:
            self.media.start()
        self.at["start"] = time.monotonic()
        await self.person.request("visit.start", visit=self.visit)

    async def live(self, timeout_s: float | None = None) -> float:
        """Wait until both people have pressed Start Session; return the time in s since this person pressed it.

        Raises VisitEndedError if the visit ended instead, and TimeoutError after `timeout_s` seconds.
        """
        await self.reaches("live", timeout_s=timeout_s)
        return self.at["live"] - self.at.get("start", self.at["live"])

    async def first_frame(self, timeout_s: float | None = None) -> float:
        """Wait for the other side's first frame (in light media, its first packet).

        Return the time in s from the second press of Start Session to this frame. If the other person pressed second,
        the time counts from the arrival of the status `live`. Raises TimeoutError if no frame arrives within
        `timeout_s` seconds, so always for a person without media.
        """
        await self.person.until(lambda: self.flow.first_at is not None, "the first frame", timeout_s)
        assert self.flow.first_at is not None
        other_was_first = self.state.get("parties", {}) and self.at.get("live", 0.0) > self.at.get(
            "start", 0.0
        )
        second = self.at.get("start", 0.0) if other_was_first else self.at.get("live", 0.0)
        return max(0.0, self.flow.first_at - second)

    async def talk(self, duration_s: float) -> float:
        """Stay for `duration_s` seconds, or until the visit ends if that is sooner; return how long this was, in s."""
        began = time.monotonic()
        try:
            await self.person.until(lambda: self.status == "ended", "the end of the visit", duration_s)
        except TimeoutError:
            return duration_s
        return time.monotonic() - began

    async def say(self, text: str) -> None:
        """Send a chat message. Raises RefusedError if the server refuses it."""
        await self.person.request("chat.send", visit=self.visit, text=text)

    async def mute(self, kind: str, *, muted: bool = True) -> None:
        """Switch `kind`, "audio" or "video", off (`muted`) or on. Raises RefusedError if the server refuses it."""
        await self.person.request("media.mute", visit=self.visit, kind=kind, muted=muted)

    def early_media(self) -> None:
        """Send picture and sound although this person has not pressed Start Session: a deliberate fault."""
        if self.media is not None:
            self.media.start()

    async def hang_up(self) -> None:
        """Hang up as the patient: leave the call; the visit goes on. Raises RefusedError if the server refuses it."""
        self.at["hang_up"] = time.monotonic()
        await self.person.request("visit.hang_up", visit=self.visit)
        if self.media is not None:
            self.media.stop()

    async def end(self) -> None:
        """End the visit for both people, as the provider. Raises RefusedError if the server refuses it."""
        self.at["end"] = time.monotonic()
        await self.person.request("visit.end", visit=self.visit)
        await self.drop_media()

    async def release(self) -> None:
        """Return the visit to the queue, as the provider. Raises RefusedError if the server refuses it."""
        await self.person.request("visit.release", visit=self.visit)
        await self.drop_media()

    async def ended(self, timeout_s: float | None = None) -> str:
        """Wait until the visit has ended; return its outcome. Raises TimeoutError after `timeout_s` seconds."""
        await self.person.until(lambda: self.status == "ended", "the end of the visit", timeout_s)
        await self.drop_media()
        return str(self.state["outcome"])

    async def reaches(self, *statuses: str, timeout_s: float | None = None) -> None:
        """Wait until the visit has one of these statuses.

        Raises VisitEndedError if the visit ended instead, and TimeoutError after `timeout_s` seconds.
        """
        wanted = " or ".join(statuses)
        await self.person.until(
            lambda: self.status in statuses or self.status == "ended", f"a visit that is {wanted}", timeout_s
        )
        if self.status not in statuses:
            raise VisitEndedError(str(self.state["outcome"]))

    # --- methods that receive messages

    def receive(self, message: dict[str, Any]) -> None:
        """Handle a message about this visit, which the person's connection has received."""
        kind = message["type"]
        if kind == "media.offer":
            self.person.spawn(self._answer(message))
        elif kind == "media.gone":
            self.person.spawn(self._join_again())
        elif kind == "media.muted":
            self.muted[message["party"], message["kind"]] = message["muted"]
        elif kind == "media.path":
            self.paths[message["party"]] = message["path"]
        elif kind == "chat.line":
            self.lines.append(message["line"])
        elif kind == "chat.snapshot":
            self.lines = list(message["lines"])
        elif self._is_news(message):
            if kind == "visit.state":
                self._state(message["visit"])
            elif kind == "case.state":
                self.case = message["case"]
            elif kind == "place.state":
                self.place = message

    def _is_news(self, message: dict[str, Any]) -> bool:
        """Return whether a message is newer than all earlier messages of its topic (PROTOCOL.md#topics)."""
        topic, version = message.get("topic", ""), message.get("version", 0)
        if message.get("epoch") != self._epoch:
            self._epoch = message.get("epoch", "")
            self._versions.clear()
        elif version <= self._versions.get(topic, -1):
            return False
        self._versions[topic] = version
        return True

    def _state(self, state: dict[str, Any]) -> None:
        if state["status"] != self.status:
            self.at[state["status"]] = time.monotonic()
        self.state = state

    async def _answer(self, message: dict[str, Any]) -> None:
        # Offers are answered one after another, because an offer may arrive while the previous offer is being answered.
        async with self._answering:
            if self.media is None:
                return
            sdp = await self.media.take_offer(message["sdp"], fresh=message["fresh"])
        if sdp is None:
            await self.person.request("media.join", visit=self.visit)
        else:
            await self.person.request("media.answer", visit=self.visit, offer=message["offer"], sdp=sdp)

    async def _join_again(self) -> None:
        if self._joined and self.status in OPEN:
            await self.person.request("media.join", visit=self.visit)

    # --- methods that restore the visit after a reconnection

    async def returned(self, *, resumed: bool) -> None:
        """Restore this visit after the person has reconnected with a new socket.

        If the server has not resumed the connection, enter the visit and connect the media again. Raises RefusedError
        if the server refuses a request.
        """
        if resumed or self.status == "ended":
            return
        await self.person.request("visit.enter", visit=self.visit)
        if self._joined and self.status in ("claimed", "live"):
            await self.connect()
            if self.media is not None and self.status == "live":
                self.media.start()

    async def drop_media(self) -> None:
        """Close this person's media of the call, if there is any."""
        media, self.media = self.media, None
        if media is not None:
            await asyncio.shield(media.close())
