"""Tests the figures of a call: loss, jitter, round trip and bit rate from report blocks and counters."""

from __future__ import annotations

from typing import Any

import pytest

from media.forwarding.quality import KindQuality, Meter, Quality
from media.forwarding.rtcp_translation import ReportBlock, Translation
from media.forwarding.streams import Source
from media.protocols.codecs import StreamKind

UNKNOWN: Any = {"audio": KindQuality(0.0, None, None), "video": KindQuality(0.0, None, None)}


def reported(
    source: Source, *, last: int = 0, delay: int = 0, loss: float = 0.25, jitter: int = 900
) -> Translation:
    """Return the parts of an RTCP packet with one report block about `source`. The block has these values.

    `last` and `delay`: the fields by which the round trip is measured. `loss`: 0 to 1. `jitter`: in RTP clock ticks.
    """
    return Translation(blocks=[ReportBlock(source, loss, jitter, last, delay)])


def test_nothing_is_known_at_first() -> None:
    assert Meter().quality(None) == Quality(None, UNKNOWN, UNKNOWN)
    assert Meter().quality(Meter()) == Quality(None, UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(("kind", "jitter_ms"), [("audio", 18.75), ("video", 10.0)])
def test_a_block_says_what_its_sender_received(kind: StreamKind, jitter_ms: float) -> None:
    meter, peer = Meter(), Meter()
    meter.observe(reported(Source(kind, 1)), 5.0)
    mine = meter.quality(peer).received["audio" if kind == "audio" else "video"]
    assert (mine.loss, mine.jitter_ms) == (0.25, jitter_ms)
    theirs = peer.quality(meter).sent["audio" if kind == "audio" else "video"]
    assert (theirs.loss, theirs.jitter_ms) == (None, jitter_ms), "the receiver measures the whole path"


def test_retransmissions_have_no_figures() -> None:
    meter = Meter()
    again, video = reported(Source("rtx", 1)), reported(Source("video", 2))
    meter.observe(again, 5.0)
    assert meter.quality(None) == Quality(None, UNKNOWN, UNKNOWN)
    meter.observe(Translation(blocks=again.blocks + video.blocks), 5.0)
    assert meter.quality(None).received["video"].loss == 0.25


def test_a_report_is_used_until_some_seconds_after_the_next_one_is_due() -> None:
    meter = Meter()
    assert meter.loss("audio", 5.0) is None
    meter.observe(reported(Source("audio", 1)), 5.0)
    # Browsers report on sound every 5 s, so a report is used for almost 8 s.
    assert [meter.loss("audio", now_s) for now_s in (5.0, 10.0, 12.9, 13.0)] == [0.25, 0.25, 0.25, None]
    assert meter.loss("video", 5.0) is None


def test_the_round_trip_is_from_the_forwarded_report_to_its_block() -> None:
    meter, source = Meter(), Source("video", 1)
    meter.observe(Translation(sender_reports=[(source, 0x50006)]), 10.0)
    meter.observe(reported(source, last=0x50007), 10.5)
    assert meter.rtt_ms is None
    meter.observe(reported(source, last=0x50006, delay=32_768), 10.625)
    assert meter.rtt_ms == 125.0
    meter.observe(reported(source, last=0x50006, delay=65_536), 10.625)
    assert meter.quality(None).rtt_ms == 0.0, "a clock of the other side that runs fast"


def test_the_last_eight_reports_are_remembered() -> None:
    meter, source = Meter(), Source("video", 1)
    for number in range(9):
        meter.observe(Translation(sender_reports=[(source, number)]), float(number))
    assert source.reports == {number: float(number) for number in range(1, 9)}


def test_bit_rates_are_sampled_once_a_second() -> None:
    meter, peer = Meter(), Meter()
    sources: dict[StreamKind, Source] = {"video": Source("video", 1), "audio": Source("audio", 2)}
    meter.sample(sources, 10.0)
    sources["video"].octets, sources["audio"].octets = 125_000, 4_000
    meter.sample(sources, 10.99)
    assert meter.kbps("video") == 0.0
    meter.sample(sources, 11.0)
    assert (meter.kbps("video"), meter.kbps("audio")) == (1000.0, 32.0)
    assert meter.quality(None).sent["video"].kbps == 1000.0
    assert peer.quality(meter).received["audio"].kbps == 32.0
    del sources["video"]
    meter.sample(sources, 12.0)
    assert (meter.kbps("video"), meter.kbps("audio")) == (1000.0, 0.0)
