"""What synthetic people send and see in a call: real media, light media, or none.

`real` is aiortc with VP8 and Opus, from generated or recorded sources; `light` is real ICE, DTLS and SRTP around
packets of a call's sizes and pace that nobody encoded, so that hundreds fit on a core. Knows SDP and devices; how an
offer arrives, and what a visit is, it does not know. Times are of `time.monotonic`, in s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from web.peers.people.faults import LossyLink

FREEZE_S = 0.5
"""So long without a packet or frame is a freeze, while there should be some."""
KINDS = ("none", "light", "real")


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


@dataclass(frozen=True, slots=True)
class Sources:
    """Which media, `none`, `light` or `real`; real media from a `file` where one is given; over a lossy `link`."""

    kind: str = "none"
    file: Path | None = None
    link: LossyLink | None = None

    def prepare(self) -> None:
        """Load what the media needs now, rather than in the middle of the first claim."""
        if self.kind == "light":
            import web.peers.media.light
        elif self.kind == "real":
            import web.peers.media.real  # noqa: F401

    def open(self, changed: Callable[[], None], flow: Flow | None = None) -> Media | None:
        """One call's media, None for `none`; `changed` is called when something first connects or comes in.

        What comes in is added to `flow`, that of the media before it.
        """
        if self.kind == "none":
            return None
        if self.kind == "light":
            from web.peers.media.light import LightMedia

            return _behind(self.link, LightMedia(changed, flow))
        from web.peers.media.real import RealMedia

        return _behind(self.link, RealMedia(changed, self.file, flow))


def _behind(link: LossyLink | None, media: Media) -> Media:
    return media if link is None else Linked(media, link)


class Linked:
    """Media that reaches the relay by a lossy link."""

    def __init__(self, media: Media, link: LossyLink) -> None:
        self.flow = media.flow
        self._media, self._link = media, link
        self.start, self.stop, self.wait_connected = media.start, media.stop, media.wait_connected

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """As Media.take_offer, to an offer that names the link instead of the relay."""
        return await self._media.take_offer(await self._link.through(offer), fresh=fresh)

    async def close(self) -> None:
        """Release everything, the link's sockets too."""
        await self._media.close()
        self._link.close()


async def until(condition: Callable[[], bool], changed: asyncio.Event, timeout_s: float) -> None:
    """Return once `condition()` holds, asked again whenever `changed` is set. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            changed.clear()
            await changed.wait()
