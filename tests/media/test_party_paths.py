"""Tests the addresses, the handshake and the end of one party of a relay, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from media import Connected, Disconnected, Room
from media.errors import DtlsError, PartyGoneError
from media.events import CLOSED_BY_PARTY, CONSENT_EXPIRED, DTLS_FAILED, WRONG_FINGERPRINT
from media.party import HANDSHAKE_S
from tests.media.protocols.test_sdp import ANSWER
from tests.media.test_party_apart import ADDRESS, OTHER, Associated, Sock, connected, joined, room

__all__ = ["room"]


def test_a_handshake_may_take_half_a_minute() -> None:
    assert HANDSHAKE_S == 30.0


async def test_a_party_connects_with_keys_once_all_three_are_there(room: Room) -> None:
    party, events = joined(room)
    party._add_address(ADDRESS, Sock(), True, 0.0)
    party.accept(ANSWER)
    assert events == []
    party._association = Associated()  # type: ignore[assignment]
    party._connect_if_ready()
    keys = party.endpoint.rx, party.endpoint.tx
    assert (events, party.connected, None in keys) == ([Connected()], True, False)
    party._connect_if_ready()
    party._connected = False
    party._connect_if_ready()
    assert events == [Connected()] * 2
    assert (party.endpoint.rx, party.endpoint.tx) == keys, "new keys would repeat numbers of packets"


async def test_a_wrong_certificate_fails_the_connection_and_leaves_no_trace(room: Room) -> None:
    party, events = joined(room)
    party.restart_ice()
    names = [party.credentials.ufrag, party.previous_credentials.ufrag]  # type: ignore[union-attr]
    party._add_address(ADDRESS, Sock(), True, 0.0)
    party.endpoint.rx = party.endpoint.tx = object()
    association = party._association = Associated(shown=False)  # type: ignore[assignment]
    party.accept(ANSWER)
    assert events == [Disconnected(WRONG_FINGERPRINT)]
    assert (association.closed, party.connected) == (True, False)
    assert (party.endpoint.rx, party.endpoint.tx, party.endpoint.address) == (None, None, None)
    assert room.relay.forwarder.endpoints == {}
    assert not any(name in room.relay._by_ufrag for name in names)
    assert "a" in room.parties, "it keeps its place"
    with pytest.raises(PartyGoneError):
        party.offer()


@pytest.mark.parametrize(
    ("after_s", "problem", "established", "fails"),
    [
        (30.0, None, False, False),
        (30.1, None, False, True),
        (0.0, DtlsError("handshake"), False, True),
        (99.0, DtlsError("handshake"), True, False),
    ],
)
async def test_a_handshake_fails_after_half_a_minute_or_a_fault(
    room: Room, after_s: float, problem: Exception | None, established: bool, fails: bool
) -> None:
    party, events = joined(room)
    association: Any = Associated(established=established)
    party._association, association.problem = association, problem
    party._association_born_s = 100.0
    party.tick(100.0 + after_s)
    assert events == ([Disconnected(DTLS_FAILED)] if fails else [])
    assert association.repeated == (not established)
    if fails:
        party.tick(200.0)
        assert events == [Disconnected(DTLS_FAILED)], "it is reported once"


@pytest.mark.parametrize(
    ("problem", "closed", "event"),
    [(DtlsError("alert"), False, DTLS_FAILED), (None, True, CLOSED_BY_PARTY), (None, False, None)],
)
async def test_a_dtls_datagram_may_end_the_connection(
    room: Room, problem: Exception | None, closed: bool, event: str | None
) -> None:
    party, events = joined(room)
    association: Any = Associated(established=False)
    party._association, association.problem, association.closed = association, problem, closed
    party.on_dtls(b"record", 5.0)
    assert association.fed == [b"record"]
    assert events == ([] if event is None else [Disconnected(event)])
    fresh, _ = joined(room, "b")
    fresh.on_dtls(b"\x16no record", 5.0)
    assert fresh._association_born_s == 5.0
    association = fresh._association
    fresh.on_dtls(b"\x16no record", 6.0)
    assert (fresh._association is association, fresh._association_born_s) == (True, 5.0)


@pytest.mark.parametrize("is_connected", [True, False])
async def test_a_party_whose_consent_expired_loses_its_path_and_is_sent_that_once(
    room: Room, is_connected: bool
) -> None:
    if is_connected:
        party, events, _ = connected(room)
    else:
        party, events = joined(room)
        party._add_address(ADDRESS, Sock(), True, 0.0)
    events.clear()
    party.tick(1.0)
    assert (events, party.endpoint.address is not None) == ([], True)
    for _ in range(2):
        party.tick(1000.0)
    assert events == ([Disconnected(CONSENT_EXPIRED)] if is_connected else [])
    assert (party.connected, party.endpoint.address, party.endpoint.sendto) == (False, None, None)
    assert room.relay.forwarder.endpoints == {}


async def test_an_address_whose_connection_ended_is_forgotten_and_media_waits_for_another(room: Room) -> None:
    party, _, _ = connected(room)
    other = Sock()
    party._add_address(OTHER, other, False, 0.0)
    first = party.endpoint.address
    assert first is not None
    party.lose_address(OTHER)
    assert party.endpoint.address == first
    party.lose_address(first)
    lost: tuple[object, ...] = party.endpoint.address, party.endpoint.sendto
    assert (lost, party._sendto) == ((None, None), {})


async def test_media_is_forwarded_again_to_a_party_that_has_another_address(room: Room) -> None:
    room.relay.forwarder.ask_for_keyframe = lambda *_: None  # type: ignore[method-assign]
    party, _, _ = connected(room)
    sender, _, _ = connected(room, "b")
    sound = sender.endpoint.learn(7, "audio")
    room.set_gate(True)
    assert sound.forward
    assert party.endpoint.address is not None
    party.lose_address(party.endpoint.address)
    assert not sound.forward
    party._add_address(OTHER, Sock(), True, 0.0)
    assert sound.forward


@pytest.mark.parametrize(
    ("gone", "failed", "taken", "moves"),
    [
        (False, False, False, True),
        (True, False, False, False),
        (False, True, False, False),
        (False, False, True, False),
    ],
)
async def test_a_checked_address_is_used_by_a_party_that_is_there_if_no_other_has_it(
    room: Room, gone: bool, failed: bool, taken: bool, moves: bool
) -> None:
    party, _ = joined(room)
    party.gone, party._failed = gone, failed
    if taken:
        room.relay.forwarder.endpoints[ADDRESS] = joined(room, "b")[0].endpoint
    sock = Sock()
    party.on_check_answered(ADDRESS, sock)
    assert (party.endpoint.address == ADDRESS) is moves
    party.gone = False


async def test_the_path_follows_the_media_to_a_proven_address(room: Room) -> None:
    party, _, _ = connected(room)
    party._add_address(OTHER, second := Sock(), False, 0.0)
    for now_s in range(1, 20):
        party.endpoint.last_from = OTHER
        party._follow_media(0.05 * now_s)
        assert party.endpoint.last_from is None
    assert (party.endpoint.address, party.endpoint.sendto) == (OTHER, second.sendto)


async def test_dtls_is_sent_where_the_path_is_and_a_full_buffer_loses_it(room: Room) -> None:
    party, _, sock = connected(room)
    party._send(b"record")
    sock.broken = True
    party._send(b"record")
    party.endpoint.sendto = None
    party._send(b"record")
    assert sock.sent == [(b"record", party.endpoint.address)]
    party.endpoint.sendto, party.endpoint.address = sock.sendto, None
    sock.broken = False
    party._send(b"record")
    assert len(sock.sent) == 1


async def test_a_party_that_ends_closes_its_connection_and_only_a_reason_is_sent(room: Room) -> None:
    party, events, _ = connected(room)
    association: Any = party._association
    events.clear()
    party.leave()
    party.leave()
    assert (events, association.ended, party.gone) == ([], 1, True)
    assert (party.connected, party.endpoint.rx, party.endpoint.tx) == (False, None, None)
    assert (room.parties, room.relay.forwarder.endpoints) == ({}, {})
    replaced, events = joined(room, "b")
    joined(room, "b")
    assert events == [Disconnected("replaced")]
    assert replaced.gone


async def test_a_listener_that_fails_does_not_end_the_relay(room: Room) -> None:
    def fails(event: Any) -> None:
        raise ValueError

    party = room.join("a", fails)
    party.notify(Connected())
