"""Media of calls on servers that are not Greenroom: patient or provider sends the SDP offer; full ICE is possible."""

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
        """Apply the SDP answer to the offer of this media. Raises ValueError if it cannot be used."""
        ...

    async def wait_connected(self, timeout_s: float) -> None:
        """Return when packets can be sent. Raises TimeoutError after `timeout_s` seconds."""
        ...

    def start(self) -> None:
        """Send picture and sound instead of black and silence."""
        ...

    async def close(self) -> None:
        """Close the sockets of this media."""
        ...


class CallingSpeaker(RawCaller, Speaker):
    """A connection of light media that can also make an SDP offer."""


class LightCall(LightMedia):
    """Light media of one side of a call, with the interface `CallMedia`."""

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
        """Apply the SDP answer. Raises ValueError if it has no IPv4 candidate over UDP, or nothing was offered."""
        if not isinstance(self._speaker, CallingSpeaker):
            raise ValueError("an answer without an offer")
        self._speaker.accept(answer)
        self._begin(self._speaker)

    def _new(self) -> CallingSpeaker:
        speaker = CallingSpeaker(pacer().identity, "0.0.0.0", self.flow, self._changed)  # noqa: S104 - a client's socket
        speaker.hosts = [host for host in local_addresses() if ":" not in host]
        speaker.on = self._on
        return speaker

    @staticmethod
    def _begin(speaker: CallingSpeaker) -> None:
        speaker.udp.connect(speaker.remote)
        pacer().add(speaker)


def open_media(kind: str, changed: Callable[[], None], flow: Flow) -> CallMedia | None:
    """Return media of this kind for one side of a call; None for the kind `none`.

    The media calls `changed` when it is connected and at the first frame, and counts what it receives in `flow`. Raises
    ValueError for a kind that calls on other servers do not have.
    """
    if kind == "none":
        return None
    if kind == "light":
        return LightCall(changed, flow)
    raise ValueError(f"no media of the kind {kind}")
