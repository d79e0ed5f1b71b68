"""Tests a relay without browsers: its timer, which party gets a packet, and its rooms' codec and gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from media import OfferNeeded, Relay, RelaySettings
from media.errors import RoomClosedError, RoomFullError
from media.forwarding.forwarder import STRAY_LOOKS
from media.protocols import ice, stun
from media.protocols.ice import Candidate, Credentials
from media.relay import TICK_S
from media.room import PARTIES_MAX
from tests.media.protocols.test_sdp import ANSWER
from tests.media.test_party_apart import ADDRESS, OTHER, Sock, connected, joined
from tests.signalling.rooms.apart import Noted

H264_FIRST = ANSWER.replace("SAVPF 96 97 102 103", "SAVPF 102 103 96 97")


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    """A real relay, whose SRTP binding accepts any keys."""
    made = await Relay.open(RelaySettings(tcp=False))
    made.binding = SimpleNamespace(context=lambda session: object())  # type: ignore[assignment]
    yield made
    await made.close()


def numbered(answer: str, number: int) -> str:
    """Return the SDP answer with other SSRCs, which begin with `number`."""
    return answer.replace(":11 ", f":{number}1 ").replace("22", f"{number}2").replace("33", f"{number}3")


# --- the relay as a whole


def test_the_relay_gives_feedback_every_50_ms_and_a_room_has_six_places() -> None:
    assert (TICK_S, PARTIES_MAX, STRAY_LOOKS) == (0.05, 6, 20)


async def test_a_new_relay_has_no_rooms_and_no_timer(relay: Relay) -> None:
    assert (relay.rooms, relay.parties, relay._timer, relay._ticked_s, relay.public_host) == (
        0,
        0,
        None,
        0.0,
        None,
    )
    room = relay.room("room")
    assert relay.room("room") is room
    party, _ = joined(room)
    timer = relay._timer
    joined(room, "b")
    assert (relay.rooms, relay.parties, relay._timer is timer) == (1, 2, True)
    assert relay._ticked_s > 0
    party.leave()
    assert relay.parties == 1
    room.close()
    room.close()
    assert (relay.rooms, relay.parties) == (0, 0)


async def test_a_closed_room_is_not_the_new_one_of_its_name(relay: Relay) -> None:
    old = relay.room("room")
    old.close()
    new = relay.room("room")
    old.close()
    assert relay.room("room") is new is not old


async def test_a_closed_relay_releases_its_ports_and_ticks_no_more() -> None:
    relay = await Relay.open(RelaySettings(tcp=False))
    room = relay.room("room")
    joined(room)
    relay.on_missing()
    timers = relay._timer, relay._mending
    for _ in range(2):
        await relay.close()
    assert all(timer is not None and timer.cancelled() for timer in timers)
    assert [sock.fileno() for sock in relay._sockets] == [-1] * len(relay._sockets)
    relay._mend()
    assert relay._mending is timers[1]
    relay._tick()
    assert relay._timer is None
    relay.add_party(SimpleNamespace(endpoint=1, credentials=Credentials("u", "p")))  # type: ignore[arg-type]
    assert relay._timer is None


async def test_missing_packets_are_looked_for_until_there_are_none(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [True, False]
    monkeypatch.setattr(relay.forwarder, "mender", SimpleNamespace(mend=lambda now_s: more.pop(0)))
    relay._mend()
    first = relay._mending
    assert first is not None
    first.cancel()
    relay._mend()
    assert relay._mending is first


@pytest.mark.parametrize(
    ("tcp", "port", "shared"), [(True, 443, True), (False, 443, False), (True, 0, False)]
)
async def test_the_port_of_the_pages_is_announced_for_tcp(tcp: bool, port: int, shared: bool) -> None:
    relay = await Relay.open(RelaySettings(host="127.0.0.1", tcp=tcp, pages_port=port))
    found = relay.candidates()
    await relay.close()
    assert found[0] == Candidate("127.0.0.1", relay_port(found), "udp")
    assert (Candidate("127.0.0.1", 443, "tcp") in found) is shared
    assert len([one for one in found if one.transport == "tcp"]) == tcp + shared


def relay_port(candidates: list[Candidate]) -> int:
    """Return the port of the first candidate."""
    return candidates[0].port


async def test_ssrcs_and_credentials_are_new_each_time(relay: Relay) -> None:
    made = [relay.new_ssrcs() for _ in range(3)]
    numbers = [ssrc for one in made for ssrc in one.values()]
    assert len(set(numbers)) == 9
    assert all(0 < ssrc <= 0x7FFF_FFFF for ssrc in numbers)
    assert list(made[0]) == ["audio", "video", "rtx"]
    one, other = relay.new_credentials(), relay.new_credentials()
    assert (one.ufrag == other.ufrag, len(one.ufrag), len(one.password)) == (False, 15, 32)


async def test_an_ssrc_that_is_taken_is_not_chosen(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = iter([6, 7, 6, 8, 9])
    monkeypatch.setattr("media.relay.secrets", SimpleNamespace(randbelow=lambda most: next(chosen)))
    made = relay.new_ssrcs(taken={8})
    assert (sorted(made), sorted(made.values())) == (["audio", "rtx", "video"], [7, 9, 10]), "never 0"
    assert list(chosen) == []


async def test_a_certificate_is_made_anew_when_it_is_old(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = relay.identity()
    assert relay.identity() is first
    monkeypatch.setattr("media.relay.time", SimpleNamespace(monotonic=lambda: 1e9))
    assert relay.identity() is not first


async def test_a_browser_may_test_its_network_while_there_is_room(relay: Relay) -> None:
    offer = relay.probe()
    assert offer is not None
    assert " 1 IN IP" in offer.split("\r\n")[1]
    relay._probes = SimpleNamespace(add=lambda credentials, now_s: False)  # type: ignore[assignment]
    assert relay.probe() is None


async def test_addresses_belong_to_one_endpoint_until_they_are_removed(relay: Relay) -> None:
    (one, _), (other, _) = joined(relay.room("room"), "a"), joined(relay.room("room"), "b")
    streams = relay.streams = Noted()  # type: ignore[assignment]
    relay.add_address(one.endpoint, ADDRESS, [])
    assert (relay.is_free(ADDRESS, one.endpoint), relay.is_free(ADDRESS, other.endpoint)) == (True, False)
    assert relay.is_free(OTHER, other.endpoint)
    relay.add_address(one.endpoint, OTHER, [ADDRESS])
    assert relay.forwarder.endpoints == {OTHER: one.endpoint}
    assert streams.calls == [("proven", ADDRESS), ("close_stream", ADDRESS), ("proven", OTHER)]


async def test_the_end_of_a_tcp_connection_takes_its_address_away(relay: Relay) -> None:
    party, _, _ = connected(relay.room("room"))
    address = party.endpoint.address
    assert address is not None
    relay._stream_ended(OTHER)
    assert party.endpoint.address == address
    relay._stream_ended(address)
    lost: object = party.endpoint.address
    assert lost is None
    assert relay.forwarder.endpoints == {}


def check(ufrag: str, password: str) -> bytes:
    """Return a STUN request to this ufrag, signed with this password."""
    return ice.request(ufrag, "browser", password, b"t" * 12)


async def test_a_request_goes_to_the_party_the_other_worker_or_the_probe_that_it_names(relay: Relay) -> None:
    party, _ = joined(relay.room("room"))
    probes = relay._probes = Noted()  # type: ignore[assignment]
    sock = Sock()
    relay.on_stun(check(party.credentials.ufrag, party.credentials.password), ADDRESS, sock)
    assert party.endpoint.address == ADDRESS
    sock.sent.clear()
    relay.on_stun(check("other", "password"), OTHER, sock)
    assert [call[0] for call in probes.calls] == ["on_stun"]
    relay.probed_by = Credentials("w-other", "secret")
    relay.on_stun(check("other", "password"), OTHER, sock)
    assert (len(probes.calls), sock.sent) == (2, [])
    relay.on_stun(check("w-other", "wrong"), OTHER, sock)
    assert sock.sent == []
    relay.on_stun(check("w-other", "secret"), OTHER, sock)
    ((answer, to),) = sock.sent
    found = stun.parse(answer)
    assert (to, found is not None and found.kind) == (OTHER, stun.Kind.RESPONSE)
    sock.broken = True
    relay.on_stun(check("w-other", "secret"), OTHER, sock)


async def test_a_removed_name_is_not_answered(relay: Relay) -> None:
    party, _ = joined(relay.room("room"))
    relay.remove_ufrag(party.credentials.ufrag)
    sock = Sock()
    relay.on_stun(check(party.credentials.ufrag, party.credentials.password), ADDRESS, sock)
    assert sock.sent == []


async def test_a_new_address_is_checked_with_the_names_of_both_sides(relay: Relay) -> None:
    checks = relay._checks = Noted()  # type: ignore[assignment]
    party, _ = joined(relay.room("room"))
    relay.on_moved(party.endpoint, OTHER, Sock())
    assert checks.calls == [], "its browser has not answered"
    party.accept(ANSWER)
    sock = Sock()
    relay.on_moved(party.endpoint, OTHER, sock)
    ((to, by, remote, own, answered, _),) = checks.named("send")
    assert (to, by, remote.ufrag, own) == (OTHER, sock, "abcdef", party.credentials.ufrag)
    assert answered == party.on_check_answered
    party.leave()
    relay.on_moved(party.endpoint, OTHER, sock)
    assert len(checks.calls) == 1


async def test_a_handshake_goes_to_the_party_of_its_endpoint(relay: Relay) -> None:
    party, _ = joined(relay.room("room"))
    got: list[bytes] = []
    party.on_dtls = lambda datagram, now_s: got.append(datagram)  # type: ignore[method-assign]
    relay.on_dtls(party.endpoint, b"record")
    party.leave()
    relay.on_dtls(party.endpoint, b"record")
    assert got == [b"record"]


async def test_each_tick_serves_every_party_and_a_fault_in_one_keeps_no_other(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, _), (other, _) = joined(relay.room("room"), "a"), joined(relay.room("room"), "b")
    timer = relay._timer
    assert timer is not None
    timer.cancel()
    done: list[str] = []

    def fails(now_s: float) -> None:
        done.append("a ticks")
        raise ValueError

    one.tick = fails  # type: ignore[method-assign]
    other.tick = lambda now_s: done.append("b ticks")  # type: ignore[method-assign]
    relay._pictures = SimpleNamespace(tick=lambda party, now_s: done.append(f"{party.party_id} pictures"))  # type: ignore[assignment]
    monkeypatch.setattr(relay.forwarder, "send_rtcp", lambda endpoint, data: done.append(data.decode()))
    monkeypatch.setattr(type(one.endpoint), "feedback", lambda endpoint, now_s: b"feedback")
    monkeypatch.setattr(type(one.endpoint), "refill", lambda endpoint, passed_s: done.append("refilled"))
    monkeypatch.setattr(relay.forwarder.mender, "retry", lambda endpoint, now_s: done.append("retried"))
    monkeypatch.setattr(
        type(one.endpoint.meter), "sample", lambda meter, current, now_s: done.append("measured")
    )
    ticked: list[float] = []
    one.room.tick = ticked.append  # type: ignore[method-assign, assignment]
    faults, relay.forwarder.stray_looks = relay.forwarder.counters.faults, 0
    before_s = relay._ticked_s
    relay._tick()
    each = ["refilled", "feedback", "retried", "measured"]
    assert done == [*each, "a pictures", "a ticks", *each, "b pictures", "b ticks"]
    assert (relay.forwarder.counters.faults, relay.forwarder.stray_looks) == (faults + 1, 20)
    assert relay._ticked_s > before_s
    assert relay._timer is not timer
    assert ticked == [], "only in a room of more than two is there a speaker to find"
    relay._timer.cancel()  # type: ignore[union-attr]
    other.endpoint.subscribers = {one.endpoint: None}  # type: ignore[dict-item]
    relay._tick()
    assert ticked == [relay._ticked_s]
    other.endpoint.subscribers = {}


# --- rooms


async def test_a_room_has_six_places_and_none_after_its_end(relay: Relay) -> None:
    room = relay.room("room")
    for number in range(6):
        joined(room, f"{number}")
    with pytest.raises(RoomFullError):
        joined(room, "7")
    joined(room, "5")
    assert len(room.parties) == 6, "a party that reloads its page has its place"
    room.set_gate(True)
    room.close()
    assert not room.gate
    room.set_gate(True)
    assert not room.gate
    with pytest.raises(RoomClosedError):
        joined(room, "0")


async def test_the_gate_notes_when_it_opened(relay: Relay) -> None:
    room = relay.room("room")
    party, _ = joined(room)
    rerouted: list[bool] = []
    room.reroute = lambda: rerouted.append(room.gate)  # type: ignore[method-assign]
    assert not room.gate
    for open_ in (False, True, True):
        room.set_gate(open_)
    assert (party.endpoint.opened_s > 0, rerouted) == (True, [True])
    room.set_gate(False)
    assert (party.endpoint.opened_s, rerouted) == (0.0, [True, False])


@pytest.mark.parametrize(
    ("one", "other", "h264"),
    [
        (H264_FIRST, ANSWER, True),
        (ANSWER, ANSWER, False),
        (H264_FIRST, ANSWER.replace("96 97 102 103", "96 97"), False),
        (H264_FIRST, None, False),
    ],
)
async def test_h264_is_chosen_if_both_take_it_and_one_prefers_it(
    relay: Relay, one: str, other: str | None, h264: bool
) -> None:
    room = relay.room("room")
    for name, answer in (("a", one), ("b", other)):
        party, _ = joined(room, name)
        party.offer()
        if answer is not None:
            party.accept(numbered(answer, 4 if name == "a" else 5))
    assert room.h264_first is h264


async def test_a_third_party_brings_vp8_back_and_a_reload_of_two_keeps_the_choice(relay: Relay) -> None:
    room = relay.room("room")
    (one, events), (other, _) = joined(room, "a"), joined(room, "b")
    for number, party in ((4, one), (5, other)):
        party.offer()
        party.accept(numbered(H264_FIRST, number))
    one.offer()
    events.clear()
    joined(room, "b")
    assert (room.h264_first, events) == (True, [])
    joined(room, "c")
    assert not room.h264_first
    assert OfferNeeded() in events


async def test_in_a_room_of_two_each_receives_the_other_while_the_gate_is_open(relay: Relay) -> None:
    room = relay.room("room")
    one, _, _ = connected(room, "a")
    assert one.endpoint.peer is None
    other, _ = joined(room, "b")
    peers: list[object] = [one.endpoint.peer, other.endpoint.peer]
    assert peers == [other.endpoint, one.endpoint]
    assert (one.endpoint.gate, other.endpoint.gate) == (False, False)
    room.set_gate(True)
    assert (one.endpoint.gate, other.endpoint.gate) == (True, True)
    other.set_admitted(False)
    assert (one.endpoint.gate, other.endpoint.gate) == (False, False)
    other.leave()
    assert one.endpoint.peer is None


async def test_pictures_that_are_turned_on_again_begin_with_a_keyframe(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = relay.room("room")
    asked: list[Any] = []
    for name in ("a", "b"):
        party, _, _ = connected(room, name)
    monkeypatch.setattr(
        relay.forwarder, "ask_for_keyframe", lambda endpoint, source, now_s: asked.append(source.kind)
    )
    room.set_gate(True)
    assert asked == ["video", "video"]
    party.set_receiving("video", False)
    party.set_receiving("video", True)
    assert asked == ["video"] * 3


async def test_the_speaker_of_a_group_is_found_at_each_step(relay: Relay) -> None:
    room = relay.room("room")
    for name in ("a", "b"):
        joined(room, name)
    observed: list[Any] = []
    room._speaker = SimpleNamespace(observe=observed.append, current="b")  # type: ignore[assignment]
    room.tick(100.0)
    assert observed == [], "in a room of two nobody asks"
    joined(room, "c")
    room._speaker_due_s = 100.0
    for now_s in (99.9, 100.0, 100.01):
        room.tick(now_s)
    assert [sorted(levels) for levels in observed] == [["a", "b", "c"]]
