"""Calculates the call quality of one party, in both directions: loss, jitter, round trip and bit rate.

The figures come from packet counters and from RTCP report blocks (RFC 3550 §6.4.1, A.8). `now_s`: the monotonic time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from media.forwarding.rtcp_translation import Translation
from media.forwarding.streams import SEQUENCE_MASK, Source
from media.protocols.codecs import BY_STREAM, KINDS, Kind, StreamKind

SAMPLE_S: Final = 1.0
REMEMBERED_REPORTS: Final = 8
# the age in s up to which a report is used; browsers report on sound every five seconds
FRESH_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class KindQuality:
    """The quality of one kind of media (sound or video) in one direction.

    `loss`: the share (0 to 1) of lost packets. None: not known yet.
    """

    kbps: float
    loss: float | None
    jitter_ms: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """The call quality of one party: of the media that it sends to the server (`sent`), and of that sent to it
    (`received`).

    `rtt_ms`: the round trip between the party and the server, None if not known yet.
    """

    rtt_ms: float | None
    sent: Mapping[Kind, KindQuality]
    received: Mapping[Kind, KindQuality]


class Flow:
    """The loss and bit rate of one source, calculated from the packet counters of the hot path."""

    __slots__ = ("_at_s", "_octets", "_packets", "_sequence", "kbps", "loss")

    def __init__(self) -> None:
        self._at_s = 0.0
        self._packets = self._octets = 0
        self._sequence: int | None = None
        self.kbps = 0.0
        self.loss: float | None = None  # the share of lost packets, 0 to 1; None while nothing is forwarded

    def sample(self, source: Source, now_s: float) -> None:
        """Update `kbps` and `loss` of a source for the time since the last sample. `now_s`: the monotonic time."""
        passed_s = now_s - self._at_s
        if passed_s <= 0:
            return
        if self._at_s:
            self.kbps = max(0, source.octets - self._octets) * 8 / 1000 / passed_s
        sink = source.sink
        sequence = None
        if sink is not None and source.forward and source.settled:
            sequence = (sink.sequence - source.sequence_shift) & SEQUENCE_MASK
        if sequence is not None and self._sequence is not None:
            expected = (sequence - self._sequence) & SEQUENCE_MASK
            received = source.packets - self._packets
            self.loss = min(1.0, max(0.0, 1 - received / expected)) if 0 < expected < 0x8000 else None
        elif sequence is None:
            self.loss = None
        self._at_s, self._sequence = now_s, sequence
        self._packets, self._octets = source.packets, source.octets


@dataclass(slots=True)
class _Reported:
    loss: float | None = None
    jitter_ms: float | None = None
    at_s: float = 0.0


@dataclass(slots=True)
class Meter:
    """Measures the quality of one endpoint, from its RTCP packets and from its packet counters, which are read once a
    second.
    """

    rtt_ms: float | None = None
    _sampled_s: float = 0.0
    _flows: dict[Kind, Flow] = field(default_factory=lambda: {kind: Flow() for kind in KINDS})
    _reported: dict[Kind, _Reported] = field(default_factory=lambda: {kind: _Reported() for kind in KINDS})

    def observe(self, translation: Translation, now_s: float) -> None:
        """Record the report blocks and the sender reports of an RTCP packet from this endpoint.

        `translation`: what the packet contains. `now_s`: the monotonic time, at which the packet is forwarded.
        """
        for source, middle in translation.sender_reports:
            source.reports[middle] = now_s
            if len(source.reports) > REMEMBERED_REPORTS:
                del source.reports[next(iter(source.reports))]
        for block in translation.blocks:
            if block.source.kind == "rtx":
                continue
            reported = self._reported[block.source.kind]
            reported.loss, reported.at_s = block.loss, now_s
            reported.jitter_ms = block.jitter * 1000 / BY_STREAM[block.source.kind].clock_rate
            forwarded_s = block.source.reports.get(block.last_report)
            if forwarded_s is not None:
                self.rtt_ms = max(0.0, (now_s - forwarded_s - block.delay / 65_536) * 1000)

    def sample(self, sources: Mapping[StreamKind, Source], now_s: float) -> None:
        """Calculate bit rate and loss of an endpoint's sources from their counters, at most once a second.

        `now_s`: the monotonic time.
        """
        if now_s - self._sampled_s < SAMPLE_S:
            return
        self._sampled_s = now_s
        for kind in KINDS:
            source = sources.get(kind)
            if source is not None:
                self._flows[kind].sample(source, now_s)

    def kbps(self, kind: Kind) -> float:
        """Return the bit rate in kbit/s of the media of a kind that this endpoint sends."""
        return self._flows[kind].kbps

    def loss(self, kind: Kind, now_s: float) -> float | None:
        """Return the share (0 to 1) of the packets of a kind that did not reach this endpoint.

        None if the browser has sent no report in the last FRESH_S before `now_s`, the monotonic time.
        """
        reported = self._reported[kind]
        return reported.loss if now_s - reported.at_s < FRESH_S else None

    def quality(self, peer: Meter | None) -> Quality:
        """Return the present quality. `peer`: the meter of the other endpoint, None if there is none.

        The jitter of the media that this endpoint sends is measured by its receiver, `peer`, over the whole way from
        browser to browser.
        """
        sent = {
            kind: KindQuality(
                flow.kbps, flow.loss, peer._reported[kind].jitter_ms if peer is not None else None
            )
            for kind, flow in self._flows.items()
        }
        received = {
            kind: KindQuality(
                peer._flows[kind].kbps if peer is not None else 0.0, reported.loss, reported.jitter_ms
            )
            for kind, reported in self._reported.items()
        }
        return Quality(self.rtt_ms, sent, received)
