"""Tests subscriptions in rooms of three and more: which packets each forwards, and the limit of bits per second."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from media.forwarding.layers import LayerShares
from media.forwarding.streams import Sink, Source
from media.forwarding.subscriptions import BandwidthEstimate, Subscription, limit_kbps
from media.protocols.codecs import StreamKind

NO_LEG: Any = None


def endpoint(
    *sources: Source,
    ready: bool = True,
    paused: bool = False,
    allowed: tuple[str, ...] = ("audio", "video"),
) -> Any:
    """Return an object with those fields of an endpoint that a subscription reads.

    `sources`: the streams that the endpoint sends. `ready`: True if it is connected. `paused`: True if it
    gets no pictures. `allowed`: the kinds of media that it may send.
    """
    return SimpleNamespace(
        meter=SimpleNamespace(kbps=lambda kind: 1000.0 if kind == "video" else 0.0),
        current={source.kind: source for source in sources},
        ready=ready,
        pause=SimpleNamespace(paused=paused),
        allowed=set(allowed),
        subscribers={},
    )


def subscription(sender: Any, to: Any = None) -> Subscription:
    """Return an open subscription of the endpoint `to` (None: a new endpoint) to the media of `sender`."""
    kinds: tuple[StreamKind, ...] = ("audio", "video", "rtx")
    sinks = {kind: Sink(kind, 100 + number, NO_LEG) for number, kind in enumerate(kinds)}
    made = Subscription(sender, endpoint() if to is None else to, sinks)
    made.open = True
    return made


def test_a_receiver_that_loses_much_takes_less_and_slowly_more_again() -> None:
    bound = BandwidthEstimate()
    assert bound.kbps == 2500.0
    bound.observe(0.10, 1000.0)
    bound.observe(0.02, 1000.0)
    assert bound.kbps == 2500.0, "between the marks nothing changes, and there is a most"
    bound.observe(0.20, 1000.0)
    assert bound.kbps == 900.0
    bound.observe(0.10, 1000.0)
    bound.observe(0.02, 1000.0)
    assert bound.kbps == 900.0
    bound.observe(0.11, 2000.0)
    assert bound.kbps == pytest.approx(900 * 0.945)
    bound.observe(0.019, 2000.0)
    assert bound.kbps == pytest.approx(900 * 0.945 * 1.15)
    bound.observe(0.5, 10.0)
    assert bound.kbps == 300.0, "a still picture does not measure the path"
    for _ in range(3):
        bound.observe(1.0, 10.0)
    assert bound.kbps == 150.0, "there is a least"
    for _ in range(30):
        bound.observe(0.0, 10.0)
    assert bound.kbps == 2500.0


def test_a_subscription_forwards_copies_and_requests_a_keyframe_once() -> None:
    video, audio, rtx = Source("video", 1), Source("audio", 2), Source("rtx", 3)
    made = subscription(endpoint(video, audio, rtx))
    assert made.refresh() == [video]
    assert {ssrc: copy.forward for ssrc, copy in made.sources.items()} == {1: True, 2: True, 3: True}
    assert made.current["video"] is made.sources[1] is made.received[101]
    assert made.received[100] is made.sources[2]
    assert made.sources[1] is not video
    assert made.sources[1].sink is made.sinks["video"]
    made.sources[1].settled = True
    assert made.refresh() == []
    assert made.sources[1].settled


def test_a_subscription_that_opens_again_begins_with_a_keyframe() -> None:
    made = subscription(endpoint(Source("video", 1)))
    made.refresh()
    made.sources[1].settled = True
    made.open = False
    assert made.refresh() == []
    assert not made.sources[1].forward
    assert made.sources[1].settled
    made.open = True
    assert len(made.refresh()) == 1
    assert not made.sources[1].settled


@pytest.mark.parametrize(
    ("to", "allowed", "forwarded"),
    [
        (endpoint(), ("audio",), {"audio"}),
        (endpoint(), ("video",), {"video", "rtx"}),
        (endpoint(), (), set()),
        (endpoint(ready=False), ("audio", "video"), set()),
        (endpoint(paused=True), ("audio", "video"), {"audio"}),
    ],
)
def test_only_allowed_kinds_are_forwarded_to_a_ready_receiver(
    to: Any, allowed: tuple[str, ...], forwarded: set[str]
) -> None:
    made = subscription(
        endpoint(Source("audio", 1), Source("video", 2), Source("rtx", 3), allowed=allowed), to
    )
    made.refresh()
    assert {kind for kind, source in made.current.items() if source.forward} == forwarded


def test_a_new_source_takes_over_and_the_old_one_is_closed() -> None:
    sender = endpoint(Source("video", 1))
    made = subscription(sender)
    made.refresh()
    sender.current["video"] = Source("video", 9)
    assert made.refresh() == [sender.current["video"]]
    assert (made.sources[1].forward, made.sources[9].forward) == (False, True)
    assert made.received[101] is made.current["video"] is made.sources[9]


def test_the_numbers_of_a_room_of_two_go_on() -> None:
    video, audio = Source("video", 1), Source("audio", 2)
    made = subscription(endpoint(video, audio))
    video.sink, video.forward, video.settled, video.sequence_shift = made.sinks["video"], True, True, 7
    audio.sink = Sink("audio", 50, NO_LEG)
    made.inherit()
    assert made.current["video"].sequence_shift == 7
    assert made.current["video"].settled
    assert "audio" not in made.current, "which went elsewhere"
    assert made.refresh() == [], "it was shown already"


def test_a_video_takes_what_its_weakest_receiver_can_take() -> None:
    sender = endpoint(Source("video", 1))
    assert [limit_kbps(sender, parties) for parties in (2, 3, 4, 5, 6)] == [2500, 1200, 900, 700, 500]
    weak, closed, absent = (
        subscription(sender),
        subscription(sender),
        subscription(sender, endpoint(ready=False)),
    )
    weak.estimate.kbps, closed.estimate.kbps, absent.estimate.kbps = 800.0, 200.0, 300.0
    closed.open = False
    paused = subscription(sender, endpoint(paused=True))
    paused.estimate.kbps = 150.0
    sender.subscribers = {1: weak, 2: closed, 3: absent, 4: paused}
    assert limit_kbps(sender, 3) == 800.0
    assert limit_kbps(sender, 5) == 700.0


LAYERED = (0.4, 0.6, 1.0, 1.0)


@pytest.mark.parametrize(
    ("weak_kbps", "strong_kbps", "limit"),
    [
        (2500, 2500, 1200),
        # Both receivers have the same weak network, so the limit is the bandwidth of both.
        (600, 600, 600),
        # The receiver with the weak network gets only every second picture, so the sender's limit can be higher for the
        # other receiver.
        (600, 2500, 1000),
        # The receiver with the weak network gets only every fourth picture. The sender's limit is KBPS_GOOD, which is
        # enough for the other receiver.
        (300, 2500, 600),
        (150, 2500, 375),
        (150, 200, 200),
    ],
)
def test_the_weakest_receiver_of_a_layered_video_does_not_set_the_picture_of_the_others(
    weak_kbps: float, strong_kbps: float, limit: float
) -> None:
    video = Source("video", 1)
    video.shares = LayerShares()
    video.shares.shares = LAYERED
    sender = endpoint(video)
    weak, strong = subscription(sender), subscription(sender)
    weak.estimate.kbps, strong.estimate.kbps = weak_kbps, strong_kbps
    sender.subscribers = {1: weak, 2: strong}
    assert limit_kbps(sender, 3) == pytest.approx(limit)
    video.shares.shares = (1.0,) * 4
    assert limit_kbps(sender, 3) == min(weak_kbps, 1200), "no layers: the weakest sets it"


def test_a_receiver_gets_the_layers_that_its_estimate_allows_and_is_judged_by_them() -> None:
    video = Source("video", 1)
    video.shares = LayerShares()
    video.shares.shares = LAYERED
    made = subscription(endpoint(video))
    made.choose_layers()
    made.observe_loss(0.5)
    assert made.estimate.kbps == 750.0, "nothing is known of the video yet"
    made.refresh()
    layers = made.current["video"].layers
    assert layers is not None
    made.choose_layers()
    assert layers.target == 1
    layers.restart(1, 0)
    made.observe_loss(0.5)
    assert made.estimate.kbps == 450.0, "of the 600 kbit/s that it was sent"
    made.choose_layers()
    assert layers.target == 0


def test_the_layers_of_a_video_that_goes_on_from_a_room_of_two_continue_its_numbers() -> None:
    video = Source("video", 1)
    made = subscription(endpoint(video))
    video.sink, video.settled, video.sequence_shift = made.sinks["video"], True, 7
    video.sink.sequence = 100
    made.inherit()
    layers = made.current["video"].layers
    assert layers is not None
    span = layers.take(94, 0, 0, False)
    assert span is not None
    assert (span.first, span.sequence_shift) == (94, 7)
