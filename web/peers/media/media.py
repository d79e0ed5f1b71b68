"""Chooses the media of synthetic people: real, light, or none.

`real` is aiortc with VP8 and Opus, from generated or recorded sources; `light` is real ICE, DTLS and SRTP with packets
of a call's sizes and rate that are not encoded, so that one core can play hundreds. Knows SDP and sources, and nothing
of visits or of how an offer arrives. Times are of `time.monotonic`, in s.
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
    """The kind of media (`none`, `light` or `real`), the `file` to play in real media, and the lossy `link` to use."""

    kind: str = "none"
    file: Path | None = None
    link: LossyLink | None = None

    def prepare(self) -> None:
        """Import the media's modules now, as that would delay the first claim."""
        if self.kind == "light":
            import web.peers.media.light
        elif self.kind == "real":
            import web.peers.media.real  # noqa: F401

    def open(self, changed: Callable[[], None], flow: Flow | None = None) -> Media | None:
        """Return media for one call, or None for `none`; it calls `changed` after connecting and at the first frame.

        What it receives is added to `flow`, which continues that of an earlier connection.
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
    """Media that reaches the relay through a lossy link."""

    def __init__(self, media: Media, link: LossyLink) -> None:
        self.flow = media.flow
        self._media, self._link = media, link
        self.start, self.stop, self.wait_connected = media.start, media.stop, media.wait_connected

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """See Media; the offer is changed to name the link instead of the relay."""
        return await self._media.take_offer(await self._link.through(offer), fresh=fresh)

    async def close(self) -> None:
        """Close the media and the link's sockets."""
        await self._media.close()
        self._link.close()
