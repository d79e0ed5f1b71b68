"""Rooms of more than two parties: each party subscribes to the media of each other party.

There is one subscription per ordered pair of endpoints; each has its own sequence numbers and timestamps, begins with
its own keyframe, and has a flag `open`. A room of two parties has no subscriptions: each endpoint's sources are
forwarded without copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from media.forwarding.layers import SHARES_WHOLE, Layers, choose_level
from media.forwarding.picture_pause import FLOOR_KBPS, GROWTH, WHOLE_KBPS
from media.forwarding.streams import Sink, Source
from media.protocols.codecs import H264_TYPES, StreamKind

if TYPE_CHECKING:
    from media.forwarding.endpoint import Endpoint

LOSS_HIGH: Final = (
    # The estimate of a receiver's bandwidth falls if the share (0 to 1) of lost packets is more than LOSS_HIGH. It
    # grows if this share is less than LOSS_LOW.
    0.10
)
LOSS_LOW: Final = 0.02
KBPS_MIN: Final = FLOOR_KBPS
# After a loss, the bandwidth estimate is calculated as if at least this bit rate in kbit/s had been sent. A black or
# still picture needs less: if some of its packets are lost, the receiver's network may still carry more.
KBPS_BASE: Final = 400.0

# Number of parties in the room -> the most kbit/s of one sender's video. A party of a larger room receives
# several videos, which together need about as many kbit/s as the one video in a room of two.
KBPS_MAX: Final[Mapping[int, float]] = {3: 1200.0, 4: 900.0, 5: 700.0, 6: 500.0}
KBPS_MAX_OF_TWO: Final = WHOLE_KBPS
# Up to this bit rate in kbit/s, sharper pictures are better for a receiver than more pictures per second. Above this
# bit rate, more pictures per second are better.
KBPS_GOOD: Final = 600.0


class BandwidthEstimate:
    """Estimates the bit rate of video, `kbps`, that one receiver can get from one sender, from the receiver's loss
    reports.
    """

    __slots__ = ("kbps",)

    def __init__(self) -> None:
        self.kbps = KBPS_MAX_OF_TWO

    def observe(self, loss: float, sent_kbps: float) -> None:
        """Update the estimate, `kbps`, by a loss report of the receiver.

        `loss`: the share (0 to 1) of packets lost. `sent_kbps`: the kbit/s of video that are sent to the receiver now.
        """
        if loss > LOSS_HIGH:
            base = min(self.kbps, max(sent_kbps, KBPS_BASE))
            self.kbps = max(KBPS_MIN, base * (1 - loss / 2))
        elif loss < LOSS_LOW:
            self.kbps = min(KBPS_MAX_OF_TWO, self.kbps * GROWTH)


class Subscription:
    """What one endpoint, `to`, receives from another endpoint, `sender`, in a room of more than two parties.

    `sources`: copies of the sender's sources, by the sender's SSRC, with numbers for the receiver's sinks. `received`:
    the same copies, by the SSRC under which the receiver gets them.
    """

    __slots__ = ("current", "estimate", "open", "received", "sender", "sinks", "sources", "to")

    def __init__(self, sender: Endpoint, to: Endpoint, sinks: Mapping[StreamKind, Sink]) -> None:
        self.sender = sender
        self.to = to
        self.sinks = sinks
        self.open = False
        self.sources: dict[int, Source] = {}
        self.current: dict[StreamKind, Source] = {}
        self.received: dict[int, Source] = {}
        self.estimate = BandwidthEstimate()

    def observe_loss(self, loss: float) -> None:
        """Lower or raise the estimated bandwidth by a report of the receiver on the video.

        `loss`: the share (0 to 1) of packets lost since the previous report.
        """
        video = self.current.get("video")
        share = 1.0
        if video is not None and video.layers is not None:
            share = _shares(self.sender)[video.layers.level]
        self.estimate.observe(loss, self.sender.meter.kbps("video") * share)

    def choose_layers(self) -> None:
        """Set which temporal layers of the video the receiver gets, according to its estimated bandwidth."""
        video = self.current.get("video")
        if video is not None and video.layers is not None:
            kbps, shares = self.sender.meter.kbps("video"), _shares(self.sender)
            video.layers.target = choose_level(kbps, shares, self.estimate.kbps, video.layers.target)

    def inherit(self) -> None:
        """Continue the sequence numbers that the receiver knows from the room of two, without a new keyframe.

        Called when a third party joins the room. A video in H.264 is not continued, because a room of more than two
        parties uses VP8, which has temporal layers.
        """
        for kind, source in self.sender.current.items():
            if source.sink is self.sinks[kind] and source.payload_type not in H264_TYPES:
                self._take(kind, source.copy())

    def refresh(self) -> list[Source]:
        """Set which of the sender's sources are forwarded to the receiver.

        Returns those video sources of the sender that must now start with a keyframe.
        """
        waiting: list[Source] = []
        for kind, source in self.sender.current.items():
            copy = self.current.get(kind)
            if copy is None or copy.ssrc != source.ssrc:
                copy = Source(kind, source.ssrc)
                self._take(kind, copy)
            media = "audio" if kind == "audio" else "video"
            forward = self.open and self.to.ready and media in self.sender.allowed
            forward = forward and not (media == "video" and self.to.pause.paused)
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
        copy.sink = sink = self.sinks[kind]
        if kind == "video":
            copy.layers = Layers()
            if copy.settled:
                copy.layers.restart((sink.sequence - copy.sequence_shift + 1) & 0xFFFF, copy.sequence_shift)
        self.sources[copy.ssrc] = self.current[kind] = copy
        self.received[copy.sink.ssrc] = copy


def limit_kbps(endpoint: Endpoint, parties: int) -> float:
    """Return the most kbit/s of video that an endpoint may send. `parties`: the number of parties in the room.

    The limit is not above the bandwidth of the fastest receiver. It is also so low that the slowest receiver
    can get at least the lowest layer.
    """
    taken = [
        subscription.estimate.kbps
        for subscription in endpoint.subscribers.values()
        if subscription.open and subscription.to.ready and not subscription.to.pause.paused
    ]
    most = KBPS_MAX.get(parties, KBPS_MAX_OF_TWO)
    if not taken:
        return most
    weakest, shares = min(taken), _shares(endpoint)
    shared = max(min(weakest / shares[0], KBPS_GOOD), weakest / shares[1])
    return min(most, max(taken), shared)


def _shares(endpoint: Endpoint) -> tuple[float, ...]:
    """Return `LayerShares.shares` for the video that an endpoint sends; all shares are 1 if it has no layers."""
    video = endpoint.current.get("video")
    return video.shares.shares if video is not None and video.shares is not None else SHARES_WHOLE
