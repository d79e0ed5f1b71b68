"""Tests one party of a relay without a browser: its offers, events and addresses, and when its connection fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from media import OfferNeeded, Relay, RelaySettings, Room, Speaking
from media.errors import PartyGoneError, SdpError
from media.party import Party
from media.protocols.codecs import H264, RED, VP8_RTX
from tests.media.protocols.test_sdp import ANSWER

ADDRESS, OTHER = ("192.0.2.1", 1000), ("192.0.2.2", 2000)


class Associated(SimpleNamespace):
    """Replaces a DTLS association.

    `shown`: True if the peer's certificate is named in its SDP. `problem`: the error that
    `retransmit` and `feed` raise, or None.
    """

    def __init__(self, *, established: bool = True, shown: bool = True) -> None:
        keys = SimpleNamespace(inbound=b"", outbound=b"")
        made = SimpleNamespace(shows=lambda _: shown, keys=keys) if established else None
        super().__init__(established=made, closed=False, ended=0, repeated=0, fed=[], problem=None)

    def close(self) -> None:
        self.ended += 1

    def retransmit(self) -> None:
        self.repeated += 1
        if self.problem is not None:
            raise self.problem

    def feed(self, datagram: bytes) -> None:
        self.fed.append(datagram)
        if self.problem is not None:
            raise self.problem


class Sock:
    """Replaces a socket. `sent`: (datagram, address) for each datagram that was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.broken = False

    def sendto(self, datagram: Any, address: Any, /) -> int:
        if self.broken:
            raise OSError
        self.sent.append((bytes(datagram), address))
        return len(datagram)

    def recvfrom_into(self, buffer: bytearray, /) -> Any:
        raise BlockingIOError


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """A room of a real relay, whose SRTP binding accepts any keys."""
    relay = await Relay.open(RelaySettings(tcp=False))
    relay.binding = SimpleNamespace(context=lambda session: object())  # type: ignore[assignment]
    yield relay.room("room")
    await relay.close()


def joined(room: Room, name: str = "a", **how: Any) -> tuple[Party, list[Any]]:
    """Return (a new party of the room, its events). `how`: further arguments of `Room.join`."""
    events: list[Any] = []
    return room.join(name, events.append, **how), events


def connected(room: Room, name: str = "a", **how: Any) -> tuple[Party, list[Any], Sock]:
    """Return (a connected party, its events so far, its socket). `how`: further arguments of `Room.join`."""
    party, events = joined(room, name, **how)
    sock = Sock()
    party.accept(ANSWER)
    party._association = Associated()  # type: ignore[assignment]
    party._add_address(("192.0.2.1", 1000 + len(room.parties)), sock, True, 0.0)
    assert party.connected
    return party, events, sock


async def test_a_new_party_has_nothing_yet(room: Room) -> None:
    party, events = joined(room)
    assert (party.connected, party.gone, party.answer, party.previous_credentials) == (
        False,
        False,
        None,
        None,
    )
    assert (party._version, party._association_born_s, party._offered, party._offered_h264) == (
        0,
        0.0,
        1,
        False,
    )
    assert events == []
    party.renew_offer(always=True)
    assert events == [], "it was not offered anything yet"


async def test_an_answer_sets_what_the_party_takes(room: Room) -> None:
    party, _ = joined(room)
    party.offer()
    party.accept(ANSWER)
    endpoint = party.endpoint
    assert (endpoint.takes_red, endpoint.takes_rtx) == (True, True)
    assert endpoint.mends == {"audio", "video"}
    assert {source.kind: ssrc for ssrc, source in endpoint.sources.items()} == {
        "audio": 11, "video": 22, "rtx": 33,
    }  # fmt: skip
    party.accept(ANSWER.replace("SAVPF 63 111", "SAVPF 111").replace("96 97 102 103", "96 102"))
    assert (endpoint.takes_red, endpoint.takes_rtx) == (False, False)
    assert RED.payload_type not in endpoint.takes
    assert VP8_RTX.payload_type not in endpoint.takes


async def test_an_answer_with_too_many_streams_is_refused_and_known_ones_are_not_counted_again(
    room: Room,
) -> None:
    party, _ = joined(room)
    for number in range(13):
        party.endpoint.learn(100 + number, "rtx")
    for _ in range(2):
        party.accept(ANSWER)
    assert len(party.endpoint.sources) == 16
    with pytest.raises(SdpError) as refused:
        party.accept(ANSWER.replace("a=ssrc:11 ", "a=ssrc:12 "))
    assert refused.value.code == "ssrc"


@pytest.mark.parametrize(("shown", "established"), [(True, True), (False, True), (True, False)])
async def test_a_connected_party_keeps_its_certificate(room: Room, shown: bool, established: bool) -> None:
    party, _, _ = connected(room)
    party._association = Associated(established=established, shown=shown)  # type: ignore[assignment]
    if shown:
        party.accept(ANSWER)
        return
    with pytest.raises(SdpError) as refused:
        party.accept(ANSWER)
    assert refused.value.code == "fingerprint"


async def test_both_browsers_are_offered_h264_if_one_prefers_it(room: Room) -> None:
    (one, events), (other, _) = joined(room, "a"), joined(room, "b")
    one.offer()
    events.clear()
    first = ANSWER.replace("SAVPF 96 97 102 103", "SAVPF 102 103 96 97")
    other.accept(first.replace(":11 ", ":14 ").replace("22", "25").replace("33", "36"))
    assert not room.h264_first
    one.accept(ANSWER)
    assert (room.h264_first, events) == (True, [OfferNeeded()])
    assert f"SAVPF {H264.payload_type} " in one.offer()
    one.renew_offer()
    assert events == [OfferNeeded()], "it was offered by now"
    room.h264_first = False
    one._failed = True
    one.renew_offer()
    assert events == [OfferNeeded()], "a failed party gets no offers"


async def test_each_ice_restart_removes_the_ufrag_before_the_previous_one(room: Room) -> None:
    party, _ = joined(room)
    names = [party.credentials.ufrag]
    for _ in range(2):
        party.restart_ice()
        names.append(party.credentials.ufrag)
    assert [name in room.relay._by_ufrag for name in names] == [False, True, True]
    party.leave()
    assert not any(name in room.relay._by_ufrag for name in names)
    for use in (party.offer, party.restart_ice, lambda: party.accept(ANSWER)):
        with pytest.raises(PartyGoneError):
            use()


async def test_what_a_party_sends_may_be_turned_off_and_on_and_a_repetition_changes_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    party, _ = joined(room)
    rerouted: list[str] = []
    monkeypatch.setattr(room, "reroute_from", lambda _: rerouted.append("from"))
    monkeypatch.setattr(room, "reroute", lambda: rerouted.append("all"))
    for allowed in (True, False, False, True):
        party.set_receiving("audio", allowed)
    assert (rerouted, party.endpoint.allowed) == (["from"] * 2, {"audio", "video"})
    for admitted in (True, False, False, True):
        party.set_admitted(admitted)
    assert rerouted == ["from"] * 2 + ["all"] * 2


@pytest.mark.parametrize(
    ("last", "is_connected", "admitted", "sent"),
    [
        (None, True, True, True),
        ("b", True, True, False),
        (None, False, True, False),
        (None, True, False, False),
    ],
)
async def test_the_speaker_is_sent_once_to_those_who_take_part(
    room: Room, last: str | None, is_connected: bool, admitted: bool, sent: bool
) -> None:
    party, events = joined(room)
    party._speaker, party._connected, party.admitted = last, is_connected, admitted
    party.send_speaker("b")
    assert events == ([Speaking("b")] if sent else [])


# --- the slots of a party's offer: each is a place for the media of one other party


async def test_a_place_is_free_for_the_first_party_or_after_its_holder_left(room: Room) -> None:
    party, events = joined(room)
    party.offer()
    joined(room, "b")
    assert [slot.holder for slot in party.slots] == ["b"]
    party.add_slot("b")
    assert len(party.slots) == 1
    room.parties["b"].leave()
    joined(room, "c")
    assert ([slot.holder for slot in party.slots], events) == (["c"], [])
    joined(room, "d")
    assert [(slot.label, slot.holder) for slot in party.slots] == [("remote", "c"), ("d", "d")]
    assert events[0] == OfferNeeded()
    old = party.slots[1].sinks
    room.parties["d"].leave()
    joined(room, "e")
    assert [(slot.label, slot.holder) for slot in party.slots] == [("remote", "c"), ("e", "e")]
    assert party.slots[1].sinks is not old
    ssrcs = [ssrc for slot in party.slots for ssrc in slot.ssrcs.values()]
    assert len(set(ssrcs)) == 6
    assert party.slot_of("nobody") is None


async def test_a_named_first_place_is_kept_for_its_party(room: Room) -> None:
    party, _ = joined(room, opposite="provider")
    joined(room, "guest")
    assert [(slot.label, slot.holder) for slot in party.slots] == [
        ("provider", "provider"),
        ("guest", "guest"),
    ]
