"""Tests probes: before a visit, a browser tries its paths to the relay, which answers only its checks."""

from __future__ import annotations

import pytest

from media import probes
from media.protocols.ice import Transport
from tests.media.duo import Speaker, duo, until


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_probe_is_answered_on_each_path_and_connects_to_nothing(transport: Transport) -> None:
    async with duo() as peers:
        await peers.join("a")
        speaker = Speaker(transport=transport)
        peers.speakers.append(speaker)
        offer = peers.relay.probe()
        assert offer is not None
        speaker.answer(offer)
        speaker.check()
        await until(lambda: speaker.answered_checks == 1)
        for number in range(3):
            speaker.send(b"\x80" + bytes([number] * 40))
            speaker.check(password="wrong")
        await until(lambda: peers.relay.stats.strays >= 3)
        assert speaker.answered_checks == 1
        assert not speaker.ready, "DTLS is for parties"
        assert len(peers.relay.forwarder.endpoints) == 1


async def test_a_probe_ends_by_itself_and_their_number_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBES_MAX", 2)
    monkeypatch.setattr(probes, "LASTS_S", 0.3)
    async with duo() as peers:
        speaker = Speaker()
        peers.speakers.append(speaker)
        offer = peers.relay.probe()
        assert offer is not None
        assert peers.relay.probe() is not None
        assert peers.relay.probe() is None
        await until(lambda: peers.relay.probe() is not None)
        speaker.answer(offer)
        speaker.check()
        await peers.quiet()
        assert speaker.answered_checks == 0
