"""Tests a hostile peer: packets that are early, late, forged or not requested are not forwarded, and the relay
survives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from aioice import turn

from media import Connected, Disconnected
from media.errors import SdpError
from media.events import WRONG_FINGERPRINT
from media.forwarding.endpoint import BUDGET_MAX, SOURCES_MAX, Endpoint
from media.peers.raw import VP8_DELTA, VP8_KEYFRAME
from media.protocols import rtcp, rtp
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from media.protocols.ice import Transport
from media.protocols.turn import ice_server
from media.transport.dtls import Identity
from tests.journeys.turn import SECRET, coturn
from tests.media.duo import Duo, Speaker, call, duo, until

AUDIO, VIDEO, RTX = OPUS.payload_type, VP8.payload_type, VP8_RTX.payload_type


def everything(speaker: Speaker, start: int = 100) -> None:
    """Send 20 packets of each stream, and one RTCP packet of each kind. `start`: the sequence number of the first
    packets.
    """
    for number in range(start, start + 20):
        speaker.video(number, key=number == start)
        speaker.audio(number)
        speaker.rtx(number, number)
    speaker.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, speaker.audio_ssrc, 1, 1, 1, 1, 1))
    for about in (speaker.audio_ssrc, speaker.video_ssrc, 1):
        speaker.send_rtcp(rtcp.picture_loss(speaker.video_ssrc, about))
        speaker.send_rtcp(struct.pack("!BBHIIHH", 0x81, 205, 3, 1, about, 1, 0xFFFF))
    speaker.send_rtcp(struct.pack("!BBHI", 0x81, 203, 1, speaker.audio_ssrc))  # a BYE packet
    speaker.send_rtcp(struct.pack("!BBHI4s", 0x80, 204, 2, speaker.audio_ssrc, b"HACK"))  # an APP packet


async def crosses_nothing(peers: Duo, to: Speaker) -> None:
    """Check that `to` receives only the server's own packets."""
    await peers.quiet()
    assert to.received == 0
    assert {kind for _, kind, _ in to.control} <= {205, 206}
    assert peers.relay.stats.forwarded == 0
    assert peers.relay.stats.faults == 0


async def nothing_early_crosses(peers: Duo, a: Speaker, b: Speaker) -> None:
    """Check that no packet of `a` reaches `b` before the gate opens (media may pass), and that sound of `a`
    reaches `b` afterwards.
    """
    everything(a)
    await peers.handled(60)
    await crosses_nothing(peers, b)
    assert not b.control
    peers.room.set_gate(True)
    a.audio(500)
    await until(lambda: b.received == 1)


@pytest.mark.parametrize("transport", get_args(Transport))
async def test_nothing_sent_early_crosses(transport: Transport) -> None:
    async with duo() as peers:
        a, b = await peers.join("a", transport=transport), await peers.join("b")
        await nothing_early_crosses(peers, a, b)


class Relayed(asyncio.DatagramProtocol):
    """A peer's socket that sends and receives through a TURN server.

    `readable`: a function that is called for each received packet.
    """

    def __init__(self) -> None:
        self.packets: deque[bytes] = deque()
        self.transport: turn.TurnTransport | None = None
        self.readable: Callable[[], None] = lambda: None

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Keep a received packet, and call `readable`."""
        self.packets.append(data)
        self.readable()

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, None]:
        """Copy the oldest packet into `buffer`; return (its length, None). Raises BlockingIOError if there is none."""
        if not self.packets:
            raise BlockingIOError
        data = self.packets.popleft()
        buffer[: len(data)] = data
        return len(data), None

    def sendto(self, data: bytes | memoryview, address: tuple[str, int]) -> None:
        """Send a packet to `address` through the TURN server."""
        assert self.transport is not None
        self.transport.sendto(bytes(data), address)

    def close(self) -> None:
        """Give up the allocation at the TURN server."""
        assert self.transport is not None
        self.transport.close()


async def test_nothing_sent_early_through_a_turn_server_crosses(tmp_path: Path) -> None:
    async with coturn(tmp_path) as port, duo() as peers:
        b = await peers.join("b")
        a = Speaker()
        made = ice_server((), SECRET, "a", time.time())
        transport, relayed = await turn.create_turn_endpoint(
            Relayed,
            server_addr=("127.0.0.1", port),
            username=made.username,
            password=made.credential,
        )
        a.close()
        relayed.transport, relayed.readable = transport, a.readable
        a.sock = relayed  # type: ignore[assignment]
        peers.speakers.append(a)
        party = peers.room.join("a", a.events.append)
        party.accept(a.answer(party.offer()))
        await a.connect()
        await until(lambda: party.connected)
        assert party.endpoint.address == transport.get_extra_info("sockname")[:2]
        await nothing_early_crosses(peers, a, b)


async def test_nothing_sent_after_the_end_crosses() -> None:
    async with call() as (peers, a, b):
        before = b.received, b.received_rtcp
        peers.room.close()
        everything(a)
        await peers.quiet()
        assert (b.received, b.received_rtcp) == before


async def test_nothing_of_a_party_that_left_crosses() -> None:
    async with call() as (peers, a, b):
        peers.parties["a"].leave()
        before = b.received, b.received_rtcp
        everything(a)
        await peers.quiet()
        assert (b.received, b.received_rtcp) == before


@pytest.mark.parametrize(("kind", "payload_types"), [("video", {VIDEO, RTX}), ("audio", {AUDIO})])
async def test_nothing_of_a_kind_that_is_switched_off_crosses(kind: str, payload_types: set[int]) -> None:
    async with call() as (peers, a, b):
        peers.parties["a"].set_receiving(kind, False)  # type: ignore[arg-type]
        heard = len(b.heard)
        everything(a)
        await until(lambda: len(b.heard) > heard)
        await peers.quiet()
        assert not {packet.payload_type for packet in b.heard[heard:]} & payload_types


async def test_a_kind_that_is_switched_off_does_not_cross_under_another_payload_type() -> None:
    async with call() as (peers, a, b):
        peers.parties["a"].set_receiving("video", False)
        heard = len(b.heard)
        for number in range(2, 12):
            a.send_rtp(rtp.build(VIDEO, number, 0, a.audio_ssrc, VP8_KEYFRAME))
            a.send_rtp(rtp.build(VIDEO, number, 0, 777, VP8_KEYFRAME))
        await peers.quiet()
        assert len(b.heard) == heard


async def test_what_was_sent_before_the_gate_opened_does_not_cross_as_a_retransmission() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        for number in range(1, 50):
            a.video(number, key=number == 1)
        await peers.handled(49)
        peers.room.set_gate(True)
        for number in range(1, 50):
            a.rtx(number, number, b"from before")
        a.video(50, key=True)
        a.video(52)
        for number in range(1, 50):
            a.rtx(50 + number, number, b"from before")
        a.rtx(200, 51, b"from after")
        await until(lambda: len(b.of(RTX)) == 1)
        await peers.quiet()
        assert [packet.payload[-10:] for packet in b.of(RTX)] == [b"from after"]


async def test_plain_rtp_does_not_cross() -> None:
    async with call() as (peers, a, b):
        received = b.received
        for number in range(2, 20):
            a.send(rtp.build(VIDEO, number, 0, a.video_ssrc, VP8_KEYFRAME))
            a.send(rtp.build(AUDIO, number, 0, a.audio_ssrc, b"plain"))
            a.send(rtcp.picture_loss(1, 2))
        await until(lambda: peers.relay.stats.unauthentic >= 36)
        assert b.received == received


async def test_packets_from_an_address_that_has_not_proven_itself_are_not_even_decrypted() -> None:
    async with call() as (peers, a, b):
        received = b.received
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.setblocking(False)
            for _ in range(20):
                stranger.sendto(rtp.build(VIDEO, 9, 0, a.video_ssrc, VP8_KEYFRAME) + bytes(16), a.remote)
                stranger.sendto(b"\x16\xfe\xff" + bytes(8) + b"\x00\x04" + bytes(4), a.remote)
            await until(lambda: peers.relay.stats.strays >= 40)
            with pytest.raises(BlockingIOError):
                stranger.recv(2048)
        assert b.received == received


async def test_a_wrong_fingerprint_is_refused_and_reported() -> None:
    async with duo() as peers:
        a, b = Speaker(), await peers.join("b")
        peers.speakers.append(a)
        party = peers.room.join("a", a.events.append)
        party.accept(a.answer(party.offer(), fingerprint=Identity(0.0).fingerprint.value))
        peers.room.set_gate(True)
        await a.connect()
        await until(lambda: a.events == [Disconnected(WRONG_FINGERPRINT)])
        everything(a)
        await crosses_nothing(peers, b)
        assert not party.connected
        assert a.sock.getsockname() not in peers.relay.forwarder.endpoints, (
            "its address means nothing any more"
        )


async def test_no_media_is_taken_before_the_answer_has_said_whose_certificate_it_is() -> None:
    async with duo() as peers:
        a, b = Speaker(), await peers.join("b")
        peers.speakers.append(a)
        party = peers.room.join("a", a.events.append)
        answer = a.answer(party.offer())
        peers.room.set_gate(True)
        await a.connect()
        everything(a)
        await crosses_nothing(peers, b)
        party.accept(answer)
        await until(lambda: a.events == [Connected()])


@pytest.mark.parametrize("wrong", [{"password": "0" * 32}, {"ufrag": "nobody"}])
async def test_a_request_with_wrong_credentials_gets_silence(wrong: dict[str, str]) -> None:
    async with duo() as peers:
        a = Speaker()
        peers.speakers.append(a)
        party = peers.room.join("a", a.events.append)
        party.accept(a.answer(party.offer()))
        for _ in range(20):
            a.check(password=wrong.get("password"), ufrag=wrong.get("ufrag"))
        await until(lambda: peers.relay.stats.stun >= 20)
        await peers.quiet()
        assert a.received_octets == 0


async def test_an_unproven_address_gets_less_than_it_sends() -> None:
    async with duo() as peers:
        a = Speaker()
        peers.speakers.append(a)
        party = peers.room.join("a", a.events.append)
        a.answer(party.offer())
        for size in (1, 12, 20, 28, 100, 600, 1200, 2000):
            for first in (0, 1, 2, 20, 22, 25, 63, 64, 100, 128, 191, 200, 255):
                a.send(bytes((first,)) + os.urandom(size - 1))
        await peers.quiet()
        assert a.received_octets == 0
        assert peers.relay.stats.faults == 0


async def test_candidates_in_an_answer_are_never_dialled() -> None:
    async with duo() as peers:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
            victim.bind(("127.0.0.1", 0))
            victim.setblocking(False)
            a = Speaker()
            peers.speakers.append(a)
            party = peers.room.join("a", a.events.append)
            line = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {victim.getsockname()[1]} typ host\r\n"
            party.accept(a.answer(party.offer()) + line * 200)
            await a.connect()
            await peers.quiet()
            with pytest.raises(BlockingIOError):
                victim.recv(2048)


async def test_a_forged_sender_does_not_take_another_ones_address_away() -> None:
    async with call() as (peers, a, b):
        address = a.sock.getsockname()
        thief = peers.relay.room("elsewhere").join("thief", lambda event: None)
        forged = Speaker()
        peers.speakers.append(forged)
        forged.answer(thief.offer())
        sent: list[bytes] = []
        forged.send = lambda datagram: sent.append(bytes(datagram))  # type: ignore[method-assign]
        forged.check()
        peers.relay.on_stun(sent[0], address, peers.relay._sockets[0])
        a.audio(2)
        b.audio(2)
        await until(lambda: len(b.of(AUDIO)) == 2 and len(a.of(AUDIO)) == 2)


async def test_one_browser_cannot_fill_the_memory_with_sources() -> None:
    async with call() as (peers, a, b):
        for _ in range(10 * SOURCES_MAX):
            a.send_rtp(rtp.build(AUDIO, 1, 0, secrets.randbits(32), b"spray"))
            a.send_rtp(rtp.build(5, 1, 0, secrets.randbits(32), b"unknown type"))
        await peers.quiet()
        assert len(peers.parties["a"].endpoint.sources) <= SOURCES_MAX
        b.audio(2)
        await until(lambda: len(a.of(AUDIO)) == 2)


async def test_a_flood_is_cut_at_the_budget_and_the_other_direction_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with call() as (peers, a, b):
        monkeypatch.setattr(Endpoint, "refill", lambda endpoint, seconds: None)  # a flood may take long here
        peers.parties["a"].endpoint.budget = 20_000
        before = peers.relay.stats.forwarded_octets
        for number in range(2, 500):
            a.video(number, text=bytes(1000))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await until(lambda: peers.relay.stats.dropped > 0)
        await peers.quiet()
        assert peers.relay.stats.forwarded_octets - before < BUDGET_MAX
        b.audio(2)
        await until(lambda: len(a.of(AUDIO)) == 2)


async def test_a_replayed_packet_crosses_once() -> None:
    async with call() as (peers, a, b):
        sent: list[bytes] = []
        forward = a.send

        def remember(datagram: bytes | memoryview) -> None:
            sent.append(bytes(datagram))
            forward(datagram)

        a.send = remember  # type: ignore[method-assign]
        a.audio(2, text=b"once")
        for _ in range(5):
            forward(sent[0])
        await until(lambda: peers.relay.stats.replayed == 5)
        await peers.quiet()
        assert len([packet for packet in b.of(AUDIO) if packet.payload == b"once"]) == 1


async def test_random_packets_of_every_kind_do_not_disturb_a_call() -> None:
    async with call() as (peers, a, b):
        for size in (12, 13, 20, 28, 60, 300, 1400, 1700):
            for first in range(0, 256, 5):
                a.send(bytes((first,)) + os.urandom(size - 1))
        for number in range(2, 60):
            a.send_rtcp(bytes((0x80, 200 + number % 8)) + os.urandom(6 + number % 50))
            a.send_rtp(
                bytes((0x90,))
                + bytes((VIDEO,))
                + os.urandom(6)
                + struct.pack("!I", a.video_ssrc)
                + os.urandom(40)
            )
        await peers.quiet()
        a.video(5000, key=True, text=VP8_DELTA)
        b.audio(2)
        await until(lambda: len(a.of(AUDIO)) == 2)
        assert peers.relay.stats.faults == 0
        assert a.events == [Connected()]


async def test_f_answers_with_ever_new_streams_are_refused_at_a_bound() -> None:
    async with call() as (peers, a, _b):
        party = peers.parties["a"]
        answer = a.answer(party.offer())
        for number in range(100, 100 + 3 * SOURCES_MAX, 3):
            changed = answer.replace(str(a.audio_ssrc), str(number)).replace(
                str(a.video_ssrc), str(number + 1)
            )
            with contextlib.suppress(SdpError):
                party.accept(changed)
        assert len(party.endpoint.sources) <= SOURCES_MAX
        with pytest.raises(SdpError) as refused:
            party.accept(changed)
        assert refused.value.code == "ssrc"
        party.accept(answer)  # an answer may contain again what the server already knows
