"""How good a call is, in figures: loss, jitter, round trip and bit rate of one party, both directions.

Knows the arithmetic (RFC 3550 §6.4.1, A.8) over counters and report blocks. Does not know packets or clocks;
`now_s` is monotonic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from media.forwarding.rtcp_translation import Crossing
from media.forwarding.streams import Flow, Source
from media.protocols.codecs import BY_STREAM, KINDS, Kind, StreamKind

SAMPLE_S: Final = 1.0
REMEMBERED_REPORTS: Final = 8


@dataclass(frozen=True, slots=True)
class KindQuality:
    """One kind in one direction. `loss` is a share 0-1; None where it is not known yet."""

    kbps: float
    loss: float | None
    jitter_ms: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """`sent` is what the party sends to the server, `received` what it hears; `rtt_ms` lies between the party
    and the server."""

    rtt_ms: float | None
    sent: Mapping[Kind, KindQuality]
    received: Mapping[Kind, KindQuality]


@dataclass(slots=True)
class _Heard:
    loss: float | None = None
    jitter_ms: float | None = None


@dataclass(slots=True)
class Meter:
    """One leg's figures, fed by its RTCP and by a sample of its counters every second."""

    rtt_ms: float | None = None
    _sampled_s: float = 0.0
    _flows: dict[Kind, Flow] = field(default_factory=lambda: {kind: Flow() for kind in KINDS})
    _heard: dict[Kind, _Heard] = field(default_factory=lambda: {kind: _Heard() for kind in KINDS})

    def observe(self, crossing: Crossing, now_s: float) -> None:
        """Take the report blocks this leg sent, and remember when its own sender reports went on to the other
        side."""
        for source, middle in crossing.sender_reports:
            source.reports[middle] = now_s
            if len(source.reports) > REMEMBERED_REPORTS:
                del source.reports[next(iter(source.reports))]
        for block in crossing.blocks:
            if block.source.kind == "rtx":
                continue
            heard = self._heard[block.source.kind]
            heard.loss = block.loss
            heard.jitter_ms = block.jitter * 1000 / BY_STREAM[block.source.kind].clock_rate
            forwarded_s = block.source.reports.get(block.last_report)
            if forwarded_s is not None:
                self.rtt_ms = max(0.0, (now_s - forwarded_s - block.delay / 65_536) * 1000)

    def sample(self, sources: Mapping[StreamKind, Source], now_s: float) -> None:
        """Look at the counters, at most once a second."""
        if now_s - self._sampled_s < SAMPLE_S:
            return
        self._sampled_s = now_s
        for kind in KINDS:
            source = sources.get(kind)
            if source is not None:
                self._flows[kind].sample(source, now_s)

    def kbps(self, kind: Kind) -> float:
        """What this leg sends of a kind."""
        return self._flows[kind].kbps

    def quality(self, peer: Meter | None) -> Quality:
        """The figures now. Jitter of what is sent is measured at its receiver, `peer`, over the whole way."""
        sent = {
            kind: KindQuality(flow.kbps, flow.loss, peer._heard[kind].jitter_ms if peer is not None else None)
            for kind, flow in self._flows.items()
        }
        received = {
            kind: KindQuality(
                peer._flows[kind].kbps if peer is not None else 0.0, heard.loss, heard.jitter_ms
            )
            for kind, heard in self._heard.items()
        }
        return Quality(self.rtt_ms, sent, received)
