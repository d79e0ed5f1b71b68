"""Tests a browser whose address changes while the browser does not notice it, as behind a router (NAT).

The relay sends media to the browser's new address, and never to a stranger's.
"""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable

import pytest

from media import Connected, Disconnected
from media.address_checks import LASTS_S, PENDING_MAX, AddressChecks
from media.events import CONSENT_EXPIRED
from media.forwarding.forwarder import STRAY_LOOKS
from media.protocols import ice, stun
from media.protocols.codecs import OPUS
from media.protocols.ice import CONSENT_S, Address, Credentials
from media.relay import TICK_S
from media.transport.tcp import PacketSocket
from tests.media.duo import Duo, Speaker, StillClock, call, duo, until

AUDIO = OPUS.payload_type
MOVES_WITHIN = 25
"""The number of packets, one every 20 ms, after which a call has followed its browser at the latest."""


def at(peers: Duo, name: str) -> Address | None:
    """Return the address to which the relay sends the media of the party `name`, None if there is none."""
    return peers.parties[name].endpoint.address


async def speaks_until(speaker: Speaker, condition: Callable[[], bool]) -> int:
    """Send a sound packet every 20 ms until the condition holds; return the number of packets."""
    numbers = itertools.count(101)
    due_s = 0.0

    def spoken() -> bool:
        nonlocal due_s
        if time.monotonic() >= due_s:
            speaker.audio(next(numbers))
            due_s = time.monotonic() + 0.02
        return condition()

    await until(spoken)
    return next(numbers) - 101


async def test_a_call_follows_a_browser_that_sends_media_from_another_port_and_no_request() -> None:
    async with call() as (peers, a, b):
        a.rebind()
        a.tick = lambda now_s: None  # type: ignore[method-assign]
        packets = await speaks_until(a, lambda: at(peers, "a") == a.sock.getsockname())
        assert packets <= MOVES_WITHIN
        b.audio(2)
        await until(lambda: bool(a.of(AUDIO)) and a.of(AUDIO)[-1].sequence != 1)
        assert a.events == b.events == [Connected()]
        assert a.received_checks >= 1
        assert peers.relay.stats.faults == 0


async def test_a_call_follows_a_peer_that_sends_only_reports_from_another_port() -> None:
    """A peer without a camera whose microphone is off sends only reports. Its next ICE request may come after 10 s."""
    async with call() as (peers, a, b):
        report = struct.pack("!BBHI", 0x80, 201, 1, a.audio_ssrc)
        a.send_rtcp(report)
        await until(lambda: bool(peers.relay.stats.rtcp))
        a.rebind()
        a.tick = lambda now_s: None  # type: ignore[method-assign]

        def followed() -> bool:
            a.send_rtcp(report)
            return bool(at(peers, "a") == a.sock.getsockname())

        await until(followed)
        b.audio(2)
        await until(lambda: bool(a.of(AUDIO)) and a.of(AUDIO)[-1].sequence != 1)
        assert a.events == b.events == [Connected()]


async def test_media_of_a_browser_that_does_not_answer_at_the_new_port_leaves_the_call_where_it_was() -> None:
    async with call() as (peers, a, _b):
        before = at(peers, "a")
        a.rebind()
        a.answers_checks = False
        await speaks_until(a, lambda: a.received_checks >= 2)
        assert at(peers, "a") == before


async def test_packets_without_valid_keys_cause_no_check_and_move_nothing() -> None:
    async with call() as (peers, a, _b):
        before = at(peers, "a")
        stranger = Speaker()
        peers.speakers.append(stranger)
        stranger.remote = a.remote
        sent: list[bytes] = []
        send, a.send = a.send, lambda datagram: sent.append(bytes(datagram))  # type: ignore[method-assign]
        a.audio(2)
        a.send = send  # type: ignore[method-assign]
        stranger.send(sent[0][:-1] + bytes([sent[0][-1] ^ 1]))
        await until(lambda: peers.relay.stats.unauthentic == 1)
        await peers.quiet()
        assert (stranger.received_checks, at(peers, "a")) == (0, before)


async def test_a_repeated_packet_from_another_port_causes_no_check() -> None:
    async with call() as (peers, a, b):
        sent: list[bytes] = []
        send = a.send
        a.send = lambda datagram: (sent.append(bytes(datagram)), send(datagram))  # type: ignore[method-assign, assignment, func-returns-value]
        a.audio(2)
        await until(lambda: len(b.of(AUDIO)) == 2)
        stranger = Speaker()
        peers.speakers.append(stranger)
        stranger.remote = a.remote
        stranger.send(sent[-1])
        await until(lambda: peers.relay.stats.strays == 1)
        await peers.quiet()
        assert stranger.received_checks == 0


async def test_stray_packets_are_checked_at_a_limited_rate() -> None:
    async with call() as (peers, a, _b):
        stranger = Speaker()
        peers.speakers.append(stranger)
        stranger.remote = a.remote
        packet = b"\x80\x6f" + bytes(6) + a.audio_ssrc.to_bytes(4, "big") + bytes(40)

        async def send_up_to(total: int) -> None:
            for _ in range(100):  # the kernel's buffer has room for these
                stranger.send(packet)
            await until(lambda: peers.relay.stats.strays == total)

        began_s = time.monotonic()
        for total in (100, 200, 300):
            await send_up_to(total)
        ticks = 2 + (time.monotonic() - began_s) / TICK_S
        assert peers.relay.stats.unauthentic <= STRAY_LOOKS * ticks


async def test_a_peer_that_sends_media_and_no_requests_keeps_its_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = StillClock()
    monkeypatch.setattr("media.relay.time", clock)
    async with duo() as peers:
        a = await peers.join("a")
        for number in range(1, 5):
            clock.now_s += 0.9 * CONSENT_S
            a.audio(number)
            await peers.handled(number)
            await until(lambda: peers.parties["a"].endpoint.last_from is None)  # a tick has noted the packet
            assert a.events == [Connected()]
        clock.now_s += CONSENT_S + 1
        await until(lambda: a.events == [Connected(), Disconnected(CONSENT_EXPIRED)])


async def test_a_call_goes_where_its_browser_sends_from_even_without_a_nomination() -> None:
    async with call() as (peers, a, b):
        a.rebind()
        a.answers_checks = False
        a.check(nominate=False)
        packets = await speaks_until(a, lambda: at(peers, "a") == a.sock.getsockname())
        assert packets <= MOVES_WITHIN
        b.audio(2)
        await until(lambda: bool(a.of(AUDIO)) and a.of(AUDIO)[-1].sequence != 1)


# --- the class `AddressChecks` alone


class Sent:
    """A socket that records the datagrams that are sent with it."""

    def __init__(self) -> None:
        self.packets: list[tuple[bytes, Address]] = []

    def recvfrom_into(self, _buffer: bytearray, /) -> tuple[int, Address]:
        raise BlockingIOError

    def sendto(self, packet: bytes | memoryview, address: Address, /) -> int:
        self.packets.append((bytes(packet), address))
        return len(packet)


REMOTE = Credentials("theirs", "their password of 22 characters")


def _send(checks: AddressChecks, sock: Sent, port: int, now_s: float) -> None:
    checks.send(("192.0.2.1", port), sock, REMOTE, "ours", lambda address, sock: None, now_s)


def test_an_address_is_asked_ten_times_a_second_at_most() -> None:
    checks, sock = AddressChecks(), Sent()
    for now_s in (0.0, 0.05, 0.09, 0.1, 0.15):
        _send(checks, sock, 1, now_s)
    assert len(sock.packets) == 2


def test_a_limited_number_of_checks_waits_and_the_oldest_are_dropped() -> None:
    checks, sock = AddressChecks(), Sent()
    for port in range(PENDING_MAX + 10):
        _send(checks, sock, port + 1, 0.0)
    assert len(sock.packets) == PENDING_MAX
    _send(checks, sock, 9_999, LASTS_S)
    assert len(sock.packets) == PENDING_MAX + 1


def test_a_check_is_answered_once_by_its_own_address_with_its_password_and_in_time() -> None:
    checks, sock = AddressChecks(), Sent()
    answers: list[tuple[Address, PacketSocket]] = []

    def answered_at(sent_s: float, from_port: int, now_s: float, password: str = REMOTE.password) -> bool:
        """Send a check to port 1 at the time `sent_s`; return True if the answer to it is accepted.

        The answer comes from `from_port` at the time `now_s`, signed with `password`.
        """
        before = len(answers)
        checks.send(("192.0.2.1", 1), sock, REMOTE, "ours", lambda *found: answers.append(found), sent_s)
        check = stun.parse(sock.packets[-1][0])
        assert check is not None
        answer = ice.response(check, ("192.0.2.9", 9), password)
        _send(checks, sock, 2, now_s)  # sending this check drops checks that are too old
        for _ in range(2):
            checks.on_response(answer, ("192.0.2.1", from_port), sock)
        return len(answers) > before

    assert answered_at(0.0, 1, 0.0)
    assert answers == [(("192.0.2.1", 1), sock)]
    assert not answered_at(10.0, 3, 10.0)
    assert not answered_at(20.0, 1, 20.0, password="another")
    assert answered_at(30.0, 1, 30.0 + LASTS_S - 0.1)
    assert not answered_at(40.0, 1, 40.0 + LASTS_S)
    checks.on_response(b"\1\1 no response", ("192.0.2.1", 1), sock)
    assert len(answers) == 2
