"""Who waits and who is free: the meetings of one process's synthetic patients with its synthetic providers.

Providers press only for patients of their own process, so that a run never takes a real patient, and both ends of each
step are read from one clock. Knows who presses when; how, it does not know. Times are of `time.monotonic`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from web.peers.people.people import Patient, Room


class Meeting:
    """One patient's visit, and what both sides of it need to know of each other."""

    __slots__ = ("patient", "patient_live", "pressing", "provider", "shown_at", "taken", "talk_s")

    def __init__(self, patient: Patient, talk_s: float) -> None:
        self.patient = patient
        self.talk_s = talk_s
        self.provider: Room | None = None
        self.pressing = 0
        self.shown_at: float | None = None
        self.taken = asyncio.Event()
        self.patient_live = asyncio.Event()

    @property
    def second_press(self) -> float:
        """When the second of both pressed Start Session."""
        assert self.provider is not None
        return max(self.patient.room.at["start"], self.provider.at["start"])


class Floor:
    """See the module. `race`: so many providers press Claim on each patient, of whom one wins."""

    def __init__(self, race: int = 1) -> None:
        self.meetings: dict[str, Meeting] = {}
        self._race = race
        self._shown: dict[str, float] = {}
        self._ready: deque[str] = deque()
        self._free: deque[asyncio.Future[Meeting | None]] = deque()
        self._closed = False

    def row(self, visit: str) -> None:
        """A provider's queue shows this visit, perhaps not for the first time."""
        if visit not in self._shown:
            self._shown[visit] = time.monotonic()
            meeting = self.meetings.get(visit)
            if meeting is not None:
                self._offer(visit, meeting)

    def entered(self, visit: str, meeting: Meeting) -> None:
        """A patient of ours has got in line."""
        self.meetings[visit] = meeting
        if visit in self._shown:
            self._offer(visit, meeting)

    def left(self, visit: str) -> None:
        """A patient of ours is done, or has gone."""
        self.meetings.pop(visit, None)

    def again(self, visit: str) -> None:
        """A visit is back in the queue."""
        meeting = self.meetings.get(visit)
        if meeting is not None:
            meeting.provider = None
            meeting.taken.clear()
            self._offer(visit, meeting)

    async def next(self) -> Meeting | None:
        """The patient for the next free provider, who has waited longest; None when the run is over."""
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
        """Nobody else comes: whoever is free may go."""
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
