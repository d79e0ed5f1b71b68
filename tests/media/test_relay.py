"""Tests the relay over real UDP: which packets it forwards, with which numbers, and which events it sends."""

import asyncio
import contextlib
import socket
import struct
import time
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from media import (
    Connected,
    Disconnected,
    PartyGoneError,
    PortsTakenError,
    Relay,
    RelaySettings,
    RoomClosedError,
    RoomFullError,
)
from media.events import CLOSED_BY_PARTY, CONSENT_EXPIRED
from media.forwarding.streams import KEYFRAME_RETRY_S
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from media.protocols.ice import Transport
from media.transport.srtp import Binding, native_binding, public_binding
from tests.limits import WAIT_S
from tests.media.duo import Speaker, call, duo, until

AUDIO, VIDEO, RTX = OPUS.payload_type, VP8.payload_type, VP8_RTX.payload_type
BINDINGS = [native_binding(), public_binding()]


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda binding: binding.name)
async def test_sound_and_picture_cross_both_ways_once_the_gate_is_open(binding: Binding) -> None:
    async with call(binding) as (peers, a, b):
        a.video(2, text=b"from a")
        b.audio(2, text=b"from b")
        await until(lambda: len(b.of(VIDEO)) == 2 and len(a.of(AUDIO)) == 2)
        assert b.of(VIDEO)[-1].payload.endswith(b"from a")
        assert a.of(AUDIO)[-1].payload == b"from b"
        assert a.unauthentic == b.unauthentic == 0
        assert a.events == b.events == [Connected()]
        assert peers.relay.stats.faults == 0


async def test_what_arrives_has_the_ssrc_that_the_server_offered() -> None:
    async with call() as (peers, _a, b):
        sinks = peers.parties["b"].endpoint.sinks
        assert {packet.ssrc for packet in b.of(VIDEO)} == {sinks["video"].ssrc}
        assert {packet.ssrc for packet in b.of(AUDIO)} == {sinks["audio"].ssrc}


@pytest.mark.parametrize("transport", get_args(Transport))
async def test_nothing_crosses_while_the_gate_is_closed_and_all_does_after_it_opens(
    transport: Transport,
) -> None:
    async with duo() as peers:
        a, b = await peers.join("a", transport=transport), await peers.join("b", transport=transport)
        for number in range(1, 31):
            a.video(number, key=number == 1)
            a.audio(number)
        await peers.handled(60)
        await peers.quiet()
        assert b.received == 0
        peers.room.set_gate(True)
        a.video(31, key=True)
        a.audio(31)
        await until(lambda: b.received == 2)


async def test_the_gate_closes_again_and_nothing_more_crosses() -> None:
    async with call() as (peers, a, b):
        peers.room.set_gate(False)
        received = b.received, b.received_rtcp
        a.video(2, key=True)
        a.audio(2)
        a.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, a.audio_ssrc, 1, 0, 0, 1, 1))
        await peers.handled(6)
        await peers.quiet()
        assert (b.received, b.received_rtcp) == received
        assert not peers.room.gate


async def test_opening_twice_is_opening_once() -> None:
    async with call() as (peers, a, b):
        await peers.quiet()
        asked = len(a.rtcp(206, 1))
        peers.room.set_gate(True)
        a.video(2)
        await until(lambda: len(b.of(VIDEO)) == 2)
        assert len(a.rtcp(206, 1)) == asked


async def test_both_are_asked_for_a_keyframe_when_the_gate_opens() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        peers.room.set_gate(True)
        await until(lambda: bool(a.rtcp(206, 1) and b.rtcp(206, 1)))
        (about,) = struct.unpack_from("!I", a.rtcp(206, 1)[0], 8)
        assert about == a.video_ssrc


async def test_the_first_picture_of_each_party_after_the_gate_opens_is_reported_once() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        seconds: list[float] = []
        peers.relay.forwarder.on_first_picture = seconds.append
        began_s = time.monotonic()
        peers.room.set_gate(True)
        await peers.settle()
        for allowed in (False, True):
            peers.parties["a"].set_receiving("video", allowed)
        a.video(2, key=True)
        await until(lambda: len(b.of(VIDEO)) == 2)
        assert len(seconds) == 2
        assert all(0 <= each <= time.monotonic() - began_s for each in seconds)
        peers.room.set_gate(False)
        peers.room.set_gate(True)
        a.video(3, key=True)
        await until(lambda: len(seconds) == 3)


async def test_a_picture_begins_with_a_keyframe_which_is_asked_for_until_it_comes() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        began_s, number = time.monotonic(), 0
        peers.room.set_gate(True)
        async with asyncio.timeout(WAIT_S):
            while len(a.rtcp(206, 1)) < 4:
                number += 1
                a.video(number)
                await asyncio.sleep(0.02)
        assert not b.of(VIDEO)
        # The first request for a keyframe is sent when the gate opens (media may pass), further requests every 150
        # ms.
        assert time.monotonic() - began_s > 3 * KEYFRAME_RETRY_S - 0.01
        a.video(number + 1, key=True, text=b"key")
        a.video(number + 2, text=b"delta")
        await until(lambda: len(b.of(VIDEO)) == 2)
        assert [packet.payload[2:] for packet in b.of(VIDEO)] == [b"key", b"delta"]


async def test_a_black_frame_left_in_the_encoder_is_not_the_first_thing_seen() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        peers.room.set_gate(True)
        a.video(1, key=True, marker=True, text=b"black")
        await peers.handled(1)
        await until(lambda: bool(a.rtcp(206, 1)))
        a.video(2, key=True, text=b"real")
        a.video(3, marker=True)
        await until(lambda: len(b.of(VIDEO)) == 2)
        assert b.of(VIDEO)[0].payload.endswith(b"real")


async def test_a_picture_that_stays_plain_is_shown_all_the_same() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        peers.room.set_gate(True)
        number = 0
        while not b.of(VIDEO) and number < 60:
            number += 1
            a.video(number, key=True, marker=True)
            await asyncio.sleep(0.03)
        assert 1 < number < 60


async def test_sound_does_not_wait_for_a_picture() -> None:
    async with duo() as peers:
        a, b = await peers.join("a"), await peers.join("b")
        peers.room.set_gate(True)
        a.audio(1)
        await until(lambda: len(b.of(AUDIO)) == 1)


async def test_a_kind_that_is_switched_off_does_not_cross_and_the_other_one_does() -> None:
    async with call() as (peers, a, b):
        peers.parties["a"].set_receiving("video", False)
        a.video(2, key=True)
        a.audio(2)
        await until(lambda: len(b.of(AUDIO)) == 2)
        await peers.quiet()
        assert len(b.of(VIDEO)) == 1
        peers.parties["a"].set_receiving("video", True)
        a.video(3)
        a.video(4, key=True)
        await until(lambda: len(b.of(VIDEO)) == 2)
        before, after = b.of(VIDEO)
        assert after.sequence == (before.sequence + 1) & 0xFFFF


async def test_an_ice_restart_keeps_the_call_and_retires_the_old_password() -> None:
    async with call() as (peers, a, b):
        old = a.remote_ufrag, a.remote_password
        peers.parties["a"].accept(a.answer(peers.parties["a"].restart_ice()))
        answered = a.answered_checks
        a.check(ufrag=old[0], password=old[1])
        await until(lambda: a.answered_checks == answered + 1)
        a.check()
        await until(lambda: a.answered_checks == answered + 2)
        a.check(ufrag=old[0], password=old[1])
        a.video(2)
        await until(lambda: len(b.of(VIDEO)) == 2)
        assert a.answered_checks == answered + 2
        assert a.events == [Connected()]


async def test_a_party_that_changes_its_network_is_followed() -> None:
    async with call() as (_peers, a, b):
        loop = asyncio.get_running_loop()
        loop.remove_reader(a.sock.fileno())
        a.sock.close()
        a.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        a.sock.setblocking(False)
        a.sock.bind(("127.0.0.1", 0))
        loop.add_reader(a.sock.fileno(), a.readable)
        answered = a.answered_checks
        a.check()
        await until(lambda: a.answered_checks == answered + 1)
        a.video(2)
        b.video(2)
        await until(lambda: len(b.of(VIDEO)) == 2 and len(a.of(VIDEO)) == 2)


async def test_media_flows_both_ways_over_ipv6_if_there_is_ipv6() -> None:
    async with duo(RelaySettings(host="::1")) as peers:
        _a, _b = await peers.join("a", host="::1"), await peers.join("b", host="::1")
        peers.room.set_gate(True)
        await peers.settle()


async def test_a_party_that_says_goodbye_is_gone_at_once() -> None:
    async with call() as (peers, a, b):
        assert a.association is not None
        a.association.close()
        await until(lambda: a.events == [Connected(), Disconnected(CLOSED_BY_PARTY)])
        assert not peers.parties["a"].connected
        assert b.events == [Connected()]
        with pytest.raises(PartyGoneError):
            peers.parties["a"].offer()
        again = await peers.join("a")
        again.audio(1)
        await until(lambda: len(b.of(AUDIO)) == 2)


async def test_a_party_not_heard_for_fifteen_seconds_is_gone_and_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with duo() as peers:
        a = await peers.join("a")
        with monkeypatch.context() as changed:
            changed.setattr("media.protocols.ice.CONSENT_S", 0.0)
            await until(lambda: a.events == [Connected(), Disconnected(CONSENT_EXPIRED)])
        assert not peers.parties["a"].connected
        a.check()
        await until(lambda: a.events[-1] == Connected())


async def test_a_seventh_party_is_refused_but_not_a_new_connection_of_a_present_one() -> None:
    async with duo() as peers:
        for name in "abdefg":
            peers.room.join(name, lambda event: None)
        with pytest.raises(RoomFullError):
            peers.room.join("c", lambda event: None)
        peers.room.join("a", lambda event: None)


async def test_a_party_that_left_makes_no_more_offers() -> None:
    async with duo() as peers:
        party = peers.room.join("a", lambda event: None)
        party.leave()
        party.leave()
        for forbidden in (party.offer, party.restart_ice, lambda: party.accept("")):
            with pytest.raises(PartyGoneError):
                forbidden()


async def test_a_closed_room_lets_nobody_in_and_nothing_across() -> None:
    async with call() as (peers, a, b):
        peers.room.close()
        received = b.received
        a.audio(2)
        await peers.quiet()
        assert b.received == received
        peers.room.set_gate(True)
        assert not peers.room.gate
        with pytest.raises(RoomClosedError):
            peers.room.join("a", lambda event: None)
        assert peers.relay.room("room") is not peers.room


async def test_quality_is_known_in_both_directions() -> None:
    async with call() as (peers, a, b):
        began_s = time.monotonic()
        a.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, a.audio_ssrc, 0x11112222, 0x33334444, 0, 1, 1))
        await until(lambda: bool(b.rtcp(200, 0)))
        sink = peers.parties["b"].endpoint.sinks["audio"].ssrc
        block = struct.pack("!IIIIII", sink, 64 << 24 | 3, 1, 480, 0x22223333, 0)
        b.send_rtcp(struct.pack("!BBHI", 0x81, 201, 7, b.audio_ssrc) + block)
        await until(lambda: peers.parties["b"].quality().rtt_ms is not None)
        quality = peers.parties["b"].quality()
        assert quality.received["audio"].loss == 0.25
        assert quality.received["audio"].jitter_ms == 10.0
        assert quality.rtt_ms is not None
        assert 0 <= quality.rtt_ms <= 1000 * (time.monotonic() - began_s) + 1
        assert peers.parties["a"].quality().sent["audio"].jitter_ms == 10.0


async def test_a_listener_that_raises_is_the_only_one_to_suffer() -> None:
    async with duo() as peers:
        speaker = Speaker()
        peers.speakers.append(speaker)

        def broken(event: object) -> None:
            raise RuntimeError("a listener's own fault")

        party = peers.room.join("a", broken)
        party.accept(speaker.answer(party.offer()))
        await speaker.connect()
        await until(lambda: party.connected)
        assert peers.relay.stats.faults == 0


async def test_the_first_free_port_of_a_range_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortsTakenError):
            await Relay.open(RelaySettings(ports=(port,)))
        relay = await Relay.open(RelaySettings(ports=(port, 0)))
        assert relay.ports[0] != port
        await relay.close()


async def test_a_port_that_the_settings_name_is_not_replaced_by_another_one_for_tcp(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(3):  # three ports, because other programs may use one or two of their numbers for UDP
            taken = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ports.append(taken.getsockname()[1])
        relay = await Relay.open(RelaySettings(ports=tuple(ports)))
        assert {candidate.transport for candidate in relay.candidates()} == {"udp"}
        assert caplog.messages == ["media.tcp_port_taken"]
        await relay.close()


async def test_a_sender_over_its_budget_may_send_again_later() -> None:
    async with call() as (peers, _a, _b):
        endpoint = peers.parties["a"].endpoint
        endpoint.budget = -1_000_000_000
        await until(lambda: endpoint.budget > -1_000_000_000)


async def test_a_relay_on_every_address_announces_them_all_and_this_machine() -> None:
    relay = await Relay.open(RelaySettings(host="0.0.0.0"))
    hosts = [candidate.host for candidate in relay.candidates() if candidate.transport == "udp"]
    assert hosts[-1] == "127.0.0.1"
    assert len(set(hosts)) == len(hosts)
    await relay.close()
    announced = await Relay.open(RelaySettings(announce=("198.51.100.7",)))
    assert {candidate.host for candidate in announced.candidates()} == {"198.51.100.7"}
    await announced.close()


async def test_the_browser_of_a_party_that_has_not_answered_an_offer_gets_no_check() -> None:
    async with duo() as peers:
        party, sent = peers.room.join("a", lambda event: None), list[object]()
        sock: Any = SimpleNamespace(sendto=lambda *what: sent.append(what))
        peers.relay.on_moved(party.endpoint, ("192.0.2.1", 9), sock)
        assert sent == []
