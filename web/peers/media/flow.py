"""Counts received pictures and sound, and defines the interface of all kinds of media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

FREEZE_S = 0.5
"""The longest time in s between two video packets or frames of a call; a longer gap is counted as a freeze."""


@dataclass(slots=True)
class Flow:
    """Counts what one side of a call has received.

    Light media, which decodes nothing, counts SRTP `packets`. Real media counts decoded `frames`, and `pictures`,
    the frames that are not black. `first_at`: the time of the first video packet or frame; `freezes`: the number
    of gaps that were longer than FREEZE_S since then.
    """

    packets: int = 0
    frames: int = 0
    pictures: int = 0
    sound: float = 0.0
    first_at: float | None = None
    last_at: float = 0.0
    freezes: int = 0
    longest_gap_s: float = 0.0

    def add(self, now: float) -> bool:
        """Record that a video packet or frame arrived now; return True if it was the first."""
        first, self.first_at = self.first_at is None, self.first_at or now
        if not first:
            gap_s = now - self.last_at
            self.freezes += gap_s > FREEZE_S
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
        self.last_at = now
        return first

    def over(self, now: float) -> None:
        """Record that the call ends now; count a freeze if the last frame came more than FREEZE_S before the end."""
        if self.first_at is not None and now - self.last_at > FREEZE_S:
            self.add(now)


class Media(Protocol):
    """The media of one side of a call."""

    flow: Flow

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """Return the SDP answer to the server's offer.

        Return None if this media cannot use the offer; the caller must then join the call's media again, to get an
        offer for a new connection. `fresh`: True if this offer is for a new connection.
        """
        ...

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until packets can be sent. Raises TimeoutError after `timeout_s` seconds."""
        ...

    def start(self) -> None:
        """Switch camera and microphone on: send picture and sound instead of black and silence."""
        ...

    def stop(self) -> None:
        """Switch camera and microphone off: send black and silence again."""
        ...

    async def close(self) -> None:
        """Close the sockets and files of this media."""
        ...


async def until(condition: Callable[[], bool], changed: asyncio.Event, timeout_s: float) -> None:
    """Wait until `condition()` is true; it is called at the beginning, and again whenever `changed` is set.

    Raises TimeoutError after `timeout_s` seconds.
    """
    async with asyncio.timeout(timeout_s):
        while not condition():
            changed.clear()
            await changed.wait()
