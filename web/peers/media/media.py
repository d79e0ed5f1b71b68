"""What synthetic people send and see in a call: real media, light media, or none.

`real` is aiortc with VP8 and Opus, from generated or recorded sources; `light` is real ICE, DTLS and SRTP around
packets of a call's sizes and pace that nobody encoded, so that hundreds fit on a core. Knows SDP and devices; how an
offer arrives, and what a visit is, it does not know. Times are of `time.monotonic`, in s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from web.peers.media.flow import Flow, Media

if TYPE_CHECKING:
    from web.peers.people.faults import LossyLink

KINDS = ("none", "light", "real")


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
