"""What comes in of a call, and what every kind of media can do. Knows no kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

FREEZE_S = 0.5
"""So long without a packet or frame is a freeze, while there should be some."""


@dataclass(slots=True)
class Flow:
    """What came in. `packets` are of SRTP (light media), `frames` are decoded ones and `pictures` those that are not
    black (real media); `first_at` is when the first video packet or frame came, `freezes` gaps over FREEZE_S since.
    """

    packets: int = 0
    frames: int = 0
    pictures: int = 0
    sound: float = 0.0
    first_at: float | None = None
    last_at: float = 0.0
    freezes: int = 0
    longest_gap_s: float = 0.0

    def came(self, now: float) -> bool:
        """Note that something to see came now; returns whether it was the first."""
        first, self.first_at = self.first_at is None, self.first_at or now
        if not first:
            gap_s = now - self.last_at
            self.freezes += gap_s > FREEZE_S
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
        self.last_at = now
        return first

    def over(self, now: float) -> None:
        """The call has ended: silence until then is a freeze, too."""
        if self.first_at is not None and now - self.last_at > FREEZE_S:
            self.came(now)


class Media(Protocol):
    """One person's half of a call."""

    flow: Flow

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """The SDP answer to the server's offer; None where a fresh offer has to be asked for by joining anew."""
        ...

    async def wait_connected(self, timeout_s: float) -> None:
        """Return once packets can be sent. Raises TimeoutError."""
        ...

    def start(self) -> None:
        """Camera and microphone go on: picture and sound instead of black and silence."""
        ...

    def stop(self) -> None:
        """Back to black and silence."""
        ...

    async def close(self) -> None:
        """Release everything."""
        ...


async def until(condition: Callable[[], bool], changed: asyncio.Event, timeout_s: float) -> None:
    """Return once `condition()` holds, asked again whenever `changed` is set. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            changed.clear()
            await changed.wait()
