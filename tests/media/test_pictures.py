"""Tests that sound continues on a network that is too weak for video (pictures).

Video comes back when the network is better.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from media import PicturePaused, pictures
from media.forwarding import picture_pause
from media.forwarding.endpoint import Endpoint
from media.forwarding.picture_pause import FLOOR_KBPS, SOUND_LOSS, WAIT_S, WEAK_S
from media.pictures import Pictures
from media.protocols.codecs import OPUS, VP8
from tests import limits
from tests.media.duo import Duo, Speaker, duo, until
from tests.media.forwarding.test_group_forwarder import three
from tests.media.forwarding.unencrypted import A, B, pair, picture
from web.peers.network.network import Network, Way
from web.peers.network.offers import led_through
from web.peers.network.proxy import Proxy, proxied

AUDIO, VIDEO = OPUS.payload_type, VP8.payload_type
WINDOW = 20  # B sends a report each time that this number of sound packets has arrived
LIMITED = b"REMB"


def report(speaker: Speaker, since: int) -> int:
    """Send a report on the sound packets that a speaker has received after its first `since` ones.

    Return the number of all sound packets that the speaker has received: the value of `since` for the next report.
    """
    heard = speaker.of(AUDIO)
    new = [packet.sequence for packet in heard[since:]]
    expected = ((new[-1] - heard[since - 1].sequence) & 0xFFFF) if since else new[-1] - new[0] + 1
    lost = round(255 * max(0.0, 1 - len(new) / expected))
    block = struct.pack("!IIIIII", heard[0].ssrc, lost << 24, new[-1], 0, 0, 0)
    speaker.send_rtcp(struct.pack("!BBHI", 0x81, 201, 7, speaker.audio_ssrc) + block)
    return len(heard)


async def talk(a: Speaker, b: Speaker, done: Callable[[], bool]) -> None:
    """Send sound and small pictures from the peer `a`, and the reports of `b` on the sound, until `done()` is True."""
    told = len(b.of(AUDIO))
    async with asyncio.timeout(limits.WAIT_S):
        while not done():
            number = a.sent // 2 + 1
            a.audio(number, timestamp=960 * number)
            a.video(number, key=number % 4 == 0, timestamp=3000 * number, marker=True, text=b"two packets")
            if len(b.of(AUDIO)) - told >= WINDOW:
                told = report(b, told)
            await asyncio.sleep(0.002)


async def behind(peers: Duo, proxy: Proxy) -> Speaker:
    """Return a connected peer B that reaches the relay through the proxy."""
    speaker = Speaker()
    peers.speakers.append(speaker)
    party = peers.parties["b"] = peers.room.join("b", speaker.events.append)
    proxy.lead_to(("127.0.0.1", peers.relay.ports[0]))
    party.accept(speaker.answer(led_through(party.offer(), "127.0.0.1", proxy.port)))
    await speaker.connect()
    await until(lambda: party.connected)
    return speaker


async def test_a_weak_network_loses_the_picture_and_keeps_the_sound_until_it_is_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WEAK_S", "WAIT_S"):
        monkeypatch.setattr(picture_pause, name, 0.1)
    monkeypatch.setattr(pictures, "LOOK_S", 0.0)
    async with duo() as peers, proxied(Network(), ("127.0.0.1", 9)) as proxy:
        a, b = await peers.join("a"), await behind(peers, proxy)
        peers.room.set_gate(True)
        await talk(a, b, lambda: len(b.of(VIDEO)) > 20)
        assert PicturePaused(True) not in b.events

        proxy.change(Network(down=Way(loss=0.5)))
        await talk(a, b, lambda: PicturePaused(True) in b.events)
        await peers.quiet()
        pictures_seen, sounds = len(b.of(VIDEO)), len(b.of(AUDIO))
        a.control.clear()
        await talk(
            a, b, lambda: len(b.of(AUDIO)) > sounds + 2 * WINDOW and any(map(limited, a.rtcp(206, 15)))
        )
        assert len(b.of(VIDEO)) == pictures_seen

        proxy.change(Network())
        await talk(a, b, lambda: len(b.of(VIDEO)) > pictures_seen + 20)
        assert [event for event in b.events if isinstance(event, PicturePaused)] == [
            PicturePaused(True),
            PicturePaused(False),
        ]
        assert not any(isinstance(event, PicturePaused) for event in a.events)
        assert peers.relay.stats.faults == 0


def limited(packet: bytes) -> bool:
    """Return True if an RTCP packet limits the video of the browser that gets it to the lowest bit rate."""
    scale = int.from_bytes(packet[16:20])
    return packet[12:16] == LIMITED and (scale & 0x3FFFF) << (scale >> 18 & 0x3F) <= FLOOR_KBPS * 1000


# --- the decision to pause the video that an endpoint receives, without sockets


class Looks:
    """Checks the sound that one endpoint receives, as the relay does once a second.

    `events`: the events that the endpoint's party has received.
    """

    def __init__(self, endpoint: Endpoint, sent: list[bytes] | None = None) -> None:
        self.endpoint, self.rerouted = endpoint, 0
        self.events: list[Any] = []
        self.sent: list[bytes] = []
        self._pictures = Pictures(lambda _, packet: self.sent.append(packet))
        self._party: Any = SimpleNamespace(
            endpoint=endpoint,
            notify=self.events.append,
            room=SimpleNamespace(parties={}, reroute=self._reroute),
        )

    def _reroute(self) -> None:
        self.rerouted += 1

    def tick(self, now_s: float, loss: float | None = None) -> None:
        """Let the endpoint report its loss of sound, then check the endpoint at the time `now_s`.

        `loss`: the share of the sound packets that was lost, 0 to 1; None: the endpoint sends no report.
        """
        if loss is not None:
            self.endpoint.meter._reported["audio"].loss = loss
            self.endpoint.meter._reported["audio"].at_s = now_s
        self._pictures.tick(self._party, now_s)

    def passes(self, begin_s: float, seconds: float, loss: float | None) -> None:
        """Check the endpoint once a second for this number of seconds, from the time `begin_s` on.

        `loss`: the share of the sound packets that is reported as lost, 0 to 1; None: no report.
        """
        for passed in range(int(seconds) + 2):
            self.tick(begin_s + passed, loss)


def test_a_receiver_whose_sound_suffers_is_paused_informed_and_routed_anew() -> None:
    room, a, b = pair()
    looks = Looks(b)
    looks.passes(100, WEAK_S, SOUND_LOSS + 0.1)
    assert (looks.events, looks.rerouted) == ([PicturePaused(True)], 1)
    for endpoint, other in ((a, b), (b, a)):
        endpoint.route(other, True)
    assert [source.forward for source in a.current.values()] == [True, False, False]
    looks.passes(200, WAIT_S, 0.0)
    assert looks.events == [PicturePaused(True), PicturePaused(False)]
    assert [source.kind for source in a.route(b, True)] == ["video"], "begins with a keyframe"
    assert room.counted() == {}


@pytest.mark.parametrize("what", ["big picture", "no sound", "no report", "closed gate"])
def test_a_receiver_is_not_paused_without_a_reason(what: str) -> None:
    _, a, b = pair()
    if what == "big picture":
        a.meter._flows["video"].kbps = FLOOR_KBPS + 1
    if what == "no sound":
        a.allowed.discard("audio")
    for endpoint, other in ((a, b), (b, a)):
        endpoint.route(other, what != "closed gate")
    looks = Looks(b)
    looks.passes(100, 2 * WEAK_S, None if what == "no report" else 0.5)
    assert looks.events == []


def test_a_picture_comes_back_where_the_sound_is_switched_off() -> None:
    _, a, b = pair()
    looks = Looks(b)
    looks.passes(100, WEAK_S, 0.5)
    looks.passes(110, 2 * WAIT_S, None)
    assert looks.events == [PicturePaused(True)], "an old report says nothing of the network now"
    a.allowed.discard("audio")
    a.route(b, True)
    looks.passes(150, WAIT_S, None)
    assert looks.events == [PicturePaused(True), PicturePaused(False)]


def test_the_sender_is_limited_as_long_as_its_receiver_is_paused_and_not_afterwards() -> None:
    _, a, b = pair()
    sender = Looks(a)
    sender.tick(100.0)
    assert sender.sent == []
    b.pause.paused = True
    sender.tick(100.25)
    assert sender.sent == []
    for step in range(1, 4):
        sender.tick(100.0 + step / 2)
    assert [limited(packet) for packet in sender.sent] == [True] * 3
    b.pause.paused = False
    del sender.sent[:]
    for step in range(4, 60):
        sender.tick(100.0 + step / 2)
    assert len(sender.sent) == 21
    assert not any(map(limited, sender.sent))


def test_a_network_is_judged_once_a_second() -> None:
    _, _, b = pair()
    looks = Looks(b)
    looks.tick(100.0, 0.0)
    for now_s in range(101, 107):
        looks.tick(now_s, 0.5)
    assert looks.events == []
    looks.tick(107.0, 0.5)
    assert looks.events == [PicturePaused(True)], "6 s after the first look at which it was weak"


@pytest.mark.parametrize(("lost", "paused"), [(0.0, False), (0.5, True)])
def test_the_pictures_that_arrive_are_judged_and_not_those_that_were_sent(lost: float, paused: bool) -> None:
    _, a, b = pair()
    a.meter._flows["video"].kbps = FLOOR_KBPS * 1.5
    looks = Looks(b)
    for now_s in range(100, 108):
        b.meter._reported["video"].loss, b.meter._reported["video"].at_s = lost, now_s
        looks.tick(now_s, 0.5)
    assert looks.events == ([PicturePaused(True)] if paused else [])


def test_in_a_group_whose_gate_is_closed_nobody_is_paused() -> None:
    room, a, to = three()
    room.reads((picture(10)[0], A))
    for subscription in to.values():
        subscription.refresh()
        subscription.estimate.kbps, subscription.open = FLOOR_KBPS, False
    looks = Looks(to[B].to)
    looks.passes(100, WEAK_S, 0.5)
    assert (looks.events, len(a.subscribers)) == ([], 2)


def test_in_a_group_the_sender_is_limited_to_what_its_receivers_can_get() -> None:
    _, a, to = three()
    for subscription in to.values():
        subscription.estimate.kbps = 400.0
    sender = Looks(a)
    sender.tick(100.0)
    (limit,) = sender.sent
    scale = int.from_bytes(limit[16:20])
    assert (scale & 0x3FFFF) << (scale >> 18 & 0x3F) == 400_000


def test_in_a_group_only_the_weak_receiver_loses_the_pictures() -> None:
    room, a, to = three()
    b = to[B].to
    looks = Looks(b)
    to[B].estimate.kbps = FLOOR_KBPS
    room.reads((picture(10)[0], A))
    looks.passes(100, WEAK_S, 0.5)
    assert looks.events == [PicturePaused(True)]
    for subscription in a.subscribers.values():
        subscription.refresh()
    forwarded = {
        address: [source.kind for source in subscription.current.values() if source.forward]
        for address, subscription in to.items()
    }
    assert forwarded[B] == ["audio"]
    assert all("video" in kinds for address, kinds in forwarded.items() if address != B)
