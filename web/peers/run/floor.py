"""Assigns the waiting synthetic patients of one process to its free synthetic providers.

Providers claim only patients of their own process, so a run never claims a real patient. Both ends of each step are
measured with one clock. This module only decides which provider takes which patient; its caller sends the
claims. Times are of `time.monotonic`, in s.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from web.peers.people.people import Patient, Room


class Meeting:
    """One patient's visit, with the data that patient and provider share in this process."""

    __slots__ = ("patient", "patient_live", "provider", "shown_at", "taken", "talk_s")

    def __init__(self, patient: Patient, talk_s: float) -> None:
        self.patient = patient
        self.talk_s = talk_s
        self.provider: Room | None = None
        self.shown_at: float | None = None
        self.taken = asyncio.Event()
        self.patient_live = asyncio.Event()

    @property
    def second_press(self) -> float:
        """The time, of time.monotonic in s, at which the second of patient and provider pressed Start Session."""
        assert self.provider is not None
        return max(self.patient.room.at["start"], self.provider.at["start"])


class Floor:
    """Assigns patients to providers.

    `race`: the number of providers who press Claim on each patient; one of them gets the patient.
    """

    def __init__(self, race: int = 1) -> None:
        self.meetings: dict[str, Meeting] = {}
        self._race = race
        self._shown: dict[str, float] = {}
        self._ready: deque[str] = deque()
        self._free: deque[asyncio.Future[Meeting | None]] = deque()
        self._closed = False

    def row(self, visit: str) -> None:
        """Record the time at which a provider's queue first showed this visit."""
        if visit not in self._shown:
            self._shown[visit] = time.monotonic()
            meeting = self.meetings.get(visit)
            if meeting is not None:
                self._offer(visit, meeting)

    def entered(self, visit: str, meeting: Meeting) -> None:
        """Add a patient of this process who has entered the queue. `visit`: the visit's id."""
        self.meetings[visit] = meeting
        if visit in self._shown:
            self._offer(visit, meeting)

    def left(self, visit: str) -> None:
        """Forget the visit of a patient who has left or whose visit is over, so that no provider claims it."""
        self.meetings.pop(visit, None)

    def again(self, visit: str) -> None:
        """Let the next free provider claim a visit that has returned to the queue."""
        meeting = self.meetings.get(visit)
        if meeting is not None:
            meeting.provider = None
            meeting.taken.clear()
            self._offer(visit, meeting)

    async def next(self) -> Meeting | None:
        """Return the visit of the patient who has waited longest; wait if there is none.

        Return None after a call of `close`, when no patient waits.
        """
        while self._ready:
            meeting = self.meetings.get(self._ready.popleft())
            if meeting is not None and not meeting.taken.is_set():
                return meeting
        if self._closed:
            return None
        free: asyncio.Future[Meeting | None] = asyncio.get_running_loop().create_future()
        self._free.append(free)
        return await free

    def close(self) -> None:
        """Make `next` return None as soon as no patient waits, because no further patient arrives."""
        self._closed = True
        for free in self._free:
            if not free.done():
                free.set_result(None)
        self._free.clear()

    def _offer(self, visit: str, meeting: Meeting) -> None:
        meeting.shown_at = self._shown[visit]
        for _ in range(self._race):
            while self._free and self._free[0].done():
                self._free.popleft()
            if self._free:
                self._free.popleft().set_result(meeting)
            else:
                self._ready.append(visit)
