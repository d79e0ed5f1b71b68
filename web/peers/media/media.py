"""Chooses the media of synthetic people: real, light, or none.

`real` is aiortc with VP8 and Opus, from generated or recorded sources. `light` is real ICE, DTLS and SRTP without an
encoder: its packets have only the sizes and the rate of a call, so that one core can play hundreds of people. All times
are values of `time.monotonic`, in s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from web.peers.media.flow import Flow, Media
from web.peers.network.network import Network
from web.peers.network.offers import led_through, server_of
from web.peers.network.proxy import Proxy

KINDS = ("none", "light", "real")


@dataclass(frozen=True, slots=True)
class Sources:
    """The settings of media: the kind (`none`, `light` or `real`), the `file` to play, and the `network` to simulate.

    `file` is used by real media only. `number`: the person's number. It determines which packets the network loses,
    so that people with different numbers lose different packets.
    """

    kind: str = "none"
    file: Path | None = None
    network: Network | None = None
    number: int = 0

    def prepare(self) -> None:
        """Import the media's modules now; an import during the run would delay the first claim."""
        if self.kind == "light":
            import web.peers.media.light
        elif self.kind == "real":
            import web.peers.media.real  # noqa: F401

    def open(self, changed: Callable[[], None], flow: Flow | None = None) -> Media | None:
        """Return media for one call; None if the kind is `none`.

        The media calls `changed` when it is connected and at the first frame. Received media is counted in `flow`,
        which continues the counts of an earlier connection.
        """
        if self.kind == "none":
            return None
        if self.kind == "light":
            from web.peers.media.light import LightMedia

            return self._behind(LightMedia(changed, flow))
        from web.peers.media.real import RealMedia

        return self._behind(RealMedia(changed, self.file, flow))

    def _behind(self, media: Media) -> Media:
        return media if self.network is None else Proxied(media, self.network, self.number)


class Proxied:
    """Media whose packets pass through a simulated network; `host`: the address of the network's proxy.

    The times of the network's phases count from the first offer.
    """

    def __init__(self, media: Media, network: Network, number: int, host: str = "127.0.0.1") -> None:
        self.flow = media.flow
        self.proxy: Proxy | None = None
        self._media, self._network, self._number, self._host = media, network, number, host
        self.start, self.stop, self.wait_connected = media.start, media.stop, media.wait_connected

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """Return the SDP answer to an offer, after replacing the relay's address in the offer by the proxy's.

        `fresh`: True if the offer is for a new connection.
        """
        server = server_of(offer)
        if self.proxy is None:
            self.proxy = await Proxy.open(self._network, server, host=self._host, number=self._number)
        self.proxy.lead_to(server)
        return await self._media.take_offer(led_through(offer, self._host, self.proxy.port), fresh=fresh)

    async def close(self) -> None:
        """Close the media and the proxy."""
        await self._media.close()
        if self.proxy is not None:
            await self.proxy.close()
