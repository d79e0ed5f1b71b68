"""Sends and receives media in calls on servers that are not Greenroom.

On Greenroom, the server makes the SDP offer and uses ICE-lite. On these servers, the patient or the provider makes the
offer, and both sides may use full ICE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from media.peers.raw_caller import RawCaller
from media.transport.udp import local_addresses
from web.peers.media.flow import Flow
from web.peers.media.light import LightMedia, Speaker, pacer


class CallMedia(Protocol):
    """The media of one side of one call. `flow`: the counts of what it has received."""

    flow: Flow

    async def offer(self) -> str:
        """Return an SDP offer of one audio and one video stream in each direction."""
        ...

    async def answer(self, offer: str) -> str:
        """Return the SDP answer to an offer. Raises ValueError if the offer cannot be used."""
        ...

    async def accept(self, answer: str) -> None:
        """Connect as the other side's SDP answer describes. Raises ValueError if the answer cannot be used.

        `answer`: the answer to the SDP offer that `offer` has returned.
        """
        ...

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until packets can be sent. Raises TimeoutError after `timeout_s` seconds."""
        ...

    def start(self) -> None:
        """Send picture and sound from now on, instead of black and silence."""
        ...

    async def close(self) -> None:
        """Close the sockets of this side of the call."""
        ...


class CallingSpeaker(RawCaller, Speaker):
    """A media connection that sends packets without encoding (light media), and that can also make an SDP offer."""


class LightCall(LightMedia):
    """The media of one side of a call as packets without encoding (light media); it has the methods of `CallMedia`."""

    async def offer(self) -> str:
        """Return an SDP offer, whose candidates are the IPv4 addresses of this machine."""
        self._speaker = speaker = self._new()
        return speaker.offer()

    async def answer(self, offer: str) -> str:
        """Return the SDP answer to an offer. Raises ValueError if the offer has no IPv4 candidate over UDP."""
        self._speaker = speaker = self._new()
        answer = speaker.answer_to(offer)
        self._begin(speaker)
        return answer

    async def accept(self, answer: str) -> None:
        """Connect as the other side's SDP answer describes.

        Raises ValueError if the answer has no IPv4 candidate over UDP, or if `offer` was not called before.
        """
        if not isinstance(self._speaker, CallingSpeaker):
            raise ValueError("an answer without an offer")
        self._speaker.accept(answer)
        self._begin(self._speaker)

    def _new(self) -> CallingSpeaker:
        # The socket receives on all IPv4 addresses of this machine, because the candidates are all of them. `_begin`
        # connects it, and then it receives only from the other side.
        speaker = CallingSpeaker(pacer().identity, "0.0.0.0", self.flow, self._changed)  # noqa: S104
        speaker.hosts = [host for host in local_addresses() if ":" not in host]
        speaker.on = self._on
        return speaker

    @staticmethod
    def _begin(speaker: CallingSpeaker) -> None:
        speaker.udp.connect(speaker.remote)
        pacer().add(speaker)


def open_media(kind: str, changed: Callable[[], None], flow: Flow) -> CallMedia | None:
    """Return media of this kind for one side of a call; None for the kind `none`.

    `kind`: `light` or `none`; for another kind this raises ValueError. `changed` is called when the media is
    connected and when the first frame arrives. `flow` counts what the media receives.
    """
    if kind == "none":
        return None
    if kind == "light":
        return LightCall(changed, flow)
    raise ValueError(f"no media of the kind {kind}")
