"""Rooms of more than two: what one party sends, on its way to each of the others.

Knows one lane per ordered pair of legs, with its own numbers, its own first keyframe, and its own flag whether
anything crosses. Does not know packets, keys or sockets, nor why a lane is open. A room of two has no lanes:
there the leg's own sources do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from media.forwarding.streams import Sink, Source
from media.protocols.codecs import StreamKind

if TYPE_CHECKING:
    from media.forwarding.endpoint import Leg

LOSS_HIGH: Final = 0.10  # as in Google's congestion control: above it less, below the low mark slowly more
LOSS_LOW: Final = 0.02
GROWTH: Final = 1.15
KBPS_MIN: Final = 150.0
KBPS_BASE: Final = (
    400.0  # while a sender sends next to nothing (black, a still picture) that says nothing of the way
)

# What one sender's video may take in a room of so many, so that what a party hears of all the others together
# stays near what one 1:1 call takes.
KBPS_MAX: Final[Mapping[int, float]] = {3: 1200.0, 4: 900.0, 5: 700.0, 6: 500.0}
KBPS_MAX_OF_TWO: Final = 2500.0


class Bound:
    """What one receiver can take of one sender's video, in kbit/s, told from the loss it reports."""

    __slots__ = ("kbps",)

    def __init__(self) -> None:
        self.kbps = KBPS_MAX_OF_TWO

    def observe(self, loss: float, sent_kbps: float) -> None:
        """Take a report: the share of packets lost since the last one, and what the sender sends now."""
        if loss > LOSS_HIGH:
            base = min(self.kbps, max(sent_kbps, KBPS_BASE))
            self.kbps = max(KBPS_MIN, base * (1 - loss / 2))
        elif loss < LOSS_LOW:
            self.kbps = min(KBPS_MAX_OF_TWO, self.kbps * GROWTH)


class Lane:
    """From one leg to another. `sources` are copies of the sender's, by the sender's SSRC, each fitted to the
    receiver's sinks; `received` are the same by the SSRC under which the receiver hears them."""

    __slots__ = ("bound", "current", "open", "received", "sender", "sinks", "sources", "to")

    def __init__(self, sender: Leg, to: Leg, sinks: Mapping[StreamKind, Sink]) -> None:
        self.sender = sender
        self.to = to
        self.sinks = sinks
        self.open = False
        self.sources: dict[int, Source] = {}
        self.current: dict[StreamKind, Source] = {}
        self.received: dict[int, Source] = {}
        self.bound = Bound()

    def inherit(self) -> None:
        """The room was one of two until now: go on exactly where its numbers are, without a new keyframe."""
        for kind, source in self.sender.current.items():
            if source.sink is self.sinks[kind]:
                self._take(kind, source.copy())

    def refresh(self) -> list[Source]:
        """Work out anew what crosses; returns the sender's own video that must now begin with a keyframe."""
        waiting: list[Source] = []
        for kind, source in self.sender.current.items():
            copy = self.current.get(kind)
            if copy is None or copy.ssrc != source.ssrc:
                copy = Source(kind, source.ssrc)
                self._take(kind, copy)
            media = "audio" if kind == "audio" else "video"
            forward = self.open and self.to.ready and media in self.sender.allowed
            if forward and not copy.forward:
                copy.unsettle()
                if kind == "video":
                    waiting.append(source)
            copy.forward = forward
        return waiting

    def _take(self, kind: StreamKind, copy: Source) -> None:
        previous = self.current.get(kind)
        if previous is not None:
            previous.forward = False
        copy.sink = self.sinks[kind]
        self.sources[copy.ssrc] = self.current[kind] = copy
        self.received[copy.sink.ssrc] = copy


def limit_kbps(leg: Leg, parties: int) -> float:
    """What a leg's video may take: the weakest of those it crosses to decides, and how many there are."""
    taken = [lane.bound.kbps for lane in leg.lanes.values() if lane.open and lane.to.ready]
    return min([KBPS_MAX.get(parties, KBPS_MAX_OF_TWO), *taken])
