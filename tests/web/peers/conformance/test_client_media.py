"""Tests how a conformance run checks a client's media: answer, connection and consent (NETWORKS.md)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media import Relay, RelaySettings
from media.protocols import red, rtcp, rtp
from media.protocols.codecs import RED
from media.protocols.ice import Transport
from tests.limits import WAIT_S
from tests.media.duo import Speaker, until
from web.peers.conformance import client_media
from web.peers.conformance.client_media import ClientMedia
from web.peers.conformance.judge import Judge


@pytest.fixture(autouse=True)
def _any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a client that follows the rules take as long as it does on a busy machine."""
    monkeypatch.setattr(client_media, "CONNECT_S", WAIT_S)
    monkeypatch.setattr(client_media, "AGAIN_S", WAIT_S)


@asynccontextmanager
async def offered(transport: Transport = "udp") -> AsyncIterator[tuple[Judge, ClientMedia, Speaker]]:
    """Yield (the judge, which records what is wrong; the relay's side of the check; the client).

    The client is a peer that sends packets which the test makes. The client has not answered the offer yet.
    """
    relay = await Relay.open(RelaySettings())
    judge, speaker = Judge(), Speaker(transport=transport)
    media = ClientMedia(judge, relay)
    try:
        yield judge, media, speaker
    finally:
        speaker.close()
        media.close()
        await relay.close()


async def test_a_client_that_connects_and_keeps_consent_follows_all_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_media, "REPEATED_S", 0.05)
    async with offered() as (judge, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await speaker.connect()

        def settled() -> bool:
            speaker.check()
            return media.settled()

        await until(settled)
        media.decide()
        assert judge.faults == {}
        assert judge.seen == {"media", "connects", "consent"}


async def test_a_client_that_sends_no_check_after_the_first_is_at_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_media, "REPEATED_S", 0.05)
    monkeypatch.setattr(client_media, "CONSENT_S", 0.2)
    async with offered() as (judge, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await speaker.connect()
        await until(media.settled)
        media.decide()
        assert judge.faults.keys() == {"consent"}


async def test_checks_that_came_while_nobody_looked_are_no_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_media, "REPEATED_S", 0.05)
    async with offered() as (_, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await speaker.connect()
        await until(lambda: media._connected_s is not None)
        time.sleep(0.1)  # noqa: ASYNC251 - the process is busy, and nobody looks
        assert not media.settled()
        for _ in range(2):
            speaker.check()
        await until(media.settled)


async def test_a_client_that_answers_and_does_not_connect_is_at_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_media, "CONNECT_S", 0.05)
    async with offered() as (judge, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await until(media.settled)
        media.decide()
        assert judge.faults.keys() == {"connects"}
        assert judge.seen == {"media"}


async def test_an_answer_that_cannot_be_used_is_a_fault_and_none_without_an_offer_is_read() -> None:
    async with offered() as (judge, media, _):
        media.accept("v=0")
        assert judge.faults == {}
        media.offer()
        media.accept("v=0")
        assert "media-count" in judge.faults["media"].expected
        assert not media.answered


class Talks(Speaker):
    """A client that sends a picture, and sound as RED (redundant audio, RFC 2198).

    `keeps`: whether it sends requested packets again.
    """

    def __init__(self, transport: Transport = "udp") -> None:
        super().__init__(transport=transport)
        self.keeps = True
        self._packets: dict[tuple[int, int], bytes] = {}
        self._number = 0
        self.on_rtcp = self._control

    def talk(self, malformed: bool = False) -> None:
        """Send 20 ms of sound and one picture. `malformed`: the sound is not valid RED (redundant audio, RFC 2198)."""
        self._number += 1
        payload = b"\x80" if malformed else red.build(b"own", [(960, b"earlier")])
        self._keep(rtp.build(RED.payload_type, self._number, 960 * self._number, self.audio_ssrc, payload))
        self.video(self._number, key=True, timestamp=3000 * self._number, text=b"more than one packet")

    def _keep(self, packet: bytes) -> None:
        self.send_rtp(packet)

    def send(self, datagram: bytes | memoryview) -> None:
        """Send a packet. A packet of media is also recorded, because the relay may request it again."""
        if 127 < datagram[0] < 192 and not 191 < datagram[1] < 224:
            number = int.from_bytes(datagram[2:4]), int.from_bytes(datagram[8:12])
            self._packets[number] = bytes(datagram)
        super().send(datagram)

    def _control(self, count: int, kind: int, packet: bytes) -> None:
        if self.keeps and (kind, count) == (205, 1):
            for number in rtcp.requested(packet):
                if again := self._packets.get((number, int.from_bytes(packet[8:12]))):
                    super().send(again)


@asynccontextmanager
async def talking(
    monkeypatch: pytest.MonkeyPatch, transport: Transport = "udp"
) -> AsyncIterator[tuple[Judge, ClientMedia, Talks]]:
    """Yield (the judge, which records what is wrong; the relay's side of the check; a client that is connected)."""
    monkeypatch.setattr(client_media, "REPEATED_S", 0.05)
    async with offered() as (judge, media, _):
        client = Talks(transport)
        try:
            media.accept(client.answer(media.offer()))
            await client.connect()
            yield judge, media, client
        finally:
            if not client.ended:
                client.close()


async def is_judged(media: ClientMedia, client: Talks, *, malformed: bool = False) -> None:
    """Let the client send media until there is enough to judge; then judge it.

    `malformed`: the client sends sound that is not valid RED.
    """
    red_seen = 0

    def settled() -> bool:
        nonlocal red_seen
        client.check()
        client.talk(malformed)
        red_seen += media._observer is not None and media._observer.received > 0
        return media.settled() and bool(media._asked) and red_seen > 20

    await until(settled)
    media.decide()


async def test_a_client_that_keeps_what_it_sends_and_whose_red_is_right_follows_all_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with talking(monkeypatch, "tcp") as (judge, media, client):
        await is_judged(media, client)
        assert judge.faults == {}
        assert {"framing", "red", "nack"} <= judge.seen


async def test_a_client_that_promises_to_send_again_and_does_not_is_at_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_media, "AGAIN_S", 0.2)
    async with talking(monkeypatch) as (judge, media, client):
        client.keeps = False
        await is_judged(media, client)
        assert judge.faults.keys() == {"nack"}
        assert "framing" not in judge.seen, "it used no TCP"


async def test_a_client_whose_red_is_malformed_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(monkeypatch) as (judge, media, client):
        for _ in range(30):
            client.talk()
            media.settled()
        await is_judged(media, client)
        for _ in range(30):
            client.talk(malformed=True)
        await until(lambda: "red" in judge.faults)


async def test_a_client_that_breaks_the_framing_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(monkeypatch, "tcp") as (judge, media, client):
        await is_judged(media, client)
        client.send(bytes(2000))
        await until(lambda: client.ended)
        media.decide()
        assert judge.faults.keys() == {"framing"}
