"""Tests the decisions of a worker about its rooms, without a store, a relay or sockets."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from signalling.errors import BadSdpError, PartyGoneError, RoomFullError, UnavailableError
from signalling.protocol import server_messages as server
from signalling.rooms import worker_messages as wire
from signalling.rooms.lease import Lease
from signalling.rooms.ports import Connected, OfferNeeded
from signalling.store.mirror import Change
from signalling.visit.record import Visit
from tests.signalling import visits
from tests.signalling.rooms.apart import OTHER, OWN, THIRD, VISIT, RoomsApart, member

PATIENT, PROVIDER = member(), member("provider", OTHER)


async def call(visit: Visit | None = None) -> RoomsApart:
    """Return the rooms of a worker in which both people of the visit have joined. `visit`: None for a live one."""
    apart = RoomsApart(visit or visits.live())
    await apart.join(PATIENT, PROVIDER)
    return apart


# --- joining a room


@pytest.mark.parametrize(
    ("visit", "now", "reads", "answer"),
    [
        (visits.claimed(), None, 0, "Done"),
        (visits.live(), None, 0, "Done"),
        (visits.queued(), visits.queued(), 1, "wrong_status"),
        (visits.queued(), visits.claimed(), 1, "Done"),
        (None, visits.claimed(), 1, "Done"),
        (None, None, 1, "wrong_status"),
        (visits.ended(), None, 1, "wrong_status"),
    ],
)
async def test_a_call_is_joined_while_the_visit_is_claimed_or_live_as_the_store_says(
    visit: Visit | None, now: Visit | None, reads: int, answer: str
) -> None:
    apart = RoomsApart(visit)
    apart.now = now
    await apart.rooms.join(wire.Join(PATIENT, 7, 1))
    assert (apart.codes()[0], apart.reads) == (answer, reads)


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (visits.claimed(), "not_allowed"),
        (None, "not_allowed"),
        (replace(visits.claimed(), status=visits.queued().status), "not_allowed"),
        ("new claimant", "Done"),
    ],
)
async def test_only_a_party_of_the_visit_joins_its_call_as_the_store_says(now: Any, answer: str) -> None:
    apart = RoomsApart(visits.claimed())
    other = replace(PROVIDER, person="lin")
    if now == "new claimant":
        party = visits.claimed().parties["provider"]
        now = replace(visits.claimed(), parties={"provider": replace(party, id="lin")})
    apart.now = now
    await apart.rooms.join(wire.Join(other, 7, 1))
    assert (apart.codes()[0], apart.reads) == (answer, 1)


@pytest.mark.parametrize(
    ("lease", "answer"),
    [
        (None, "unavailable"),
        (Lease(OTHER, 7), "unavailable"),
        (Lease(OWN, 6), "unavailable"),
        (Lease(OWN, 7), "Done"),
        (Lease(OWN, 8), "Done"),
    ],
)
async def test_a_room_is_opened_by_the_worker_that_has_the_newest_lease(
    lease: Lease | None, answer: str
) -> None:
    apart = RoomsApart(visits.live())
    apart.leases.held = lease
    await apart.rooms.join(wire.Join(PATIENT, 7, 1))
    opened = answer == "Done"
    assert (apart.codes()[0], len(apart.media), apart.changes) == (answer, opened, opened)
    if lease is not None and opened:
        assert apart.rooms._rooms[VISIT].fence == lease.fence


@pytest.mark.parametrize(("after", "answer"), [(visits.claimed(), "Done"), (visits.ended(), "wrong_status")])
async def test_a_gate_stays_closed_if_the_session_stops_while_the_lease_is_read(
    monkeypatch: pytest.MonkeyPatch, after: Visit, answer: str
) -> None:
    apart = RoomsApart(visits.live())

    async def holder(organisation: str, visit: str) -> Lease | None:
        apart.visit = apart.now = after
        apart.rooms.news(Change(visits.ORG, 5, "changed", visits.live(), after))
        return apart.leases.held

    monkeypatch.setattr(apart.leases, "holder", holder)
    await apart.rooms.join(wire.Join(PATIENT, 7, 1))
    assert (apart.codes()[0], [media.gate for media in apart.media]) == (answer, [False] * (answer == "Done"))


async def test_a_party_that_joins_gets_a_reply_a_fresh_offer_and_what_is_off_in_that_order() -> None:
    apart = RoomsApart(visits.live())
    apart.leases.muted_in_store = {("provider", "osei"): frozenset({"video", "audio"})}
    await apart.join(PROVIDER)
    await apart.rooms.join(wire.Join(PATIENT, 7, 5))
    sent = [message for party, message in apart.sent() if party == "patient"]
    assert sent == [
        server.Done(reply_to=5, version=0),
        server.MediaOffer(visit=VISIT, offer=1, fresh=True, sdp="sdp of offer", ice_servers=[]),
        server.MediaMuted(visit=VISIT, party="provider", kind="audio", muted=True, missing=False),
        server.MediaMuted(visit=VISIT, party="provider", kind="video", muted=True, missing=False),
    ]
    assert apart.media[0].named("join") == [
        ("provider", "patient", True),
        ("patient", "provider", True),
    ]
    assert len(apart.media) == 1


async def test_a_party_that_joins_again_gets_the_next_offer_and_only_another_tab_loses_the_call() -> None:
    apart = await call()
    await apart.rooms.join(wire.Join(PATIENT, 7, None))
    assert [type(message).__name__ for _, message in apart.sent()] == ["MediaOffer"], "nobody asked, no reply"
    tab = member(connection="c_tab")
    await apart.rooms.join(wire.Join(tab, 7, 2))
    (first, *rest) = apart.parties.named("send")
    assert first == (PATIENT, 7, server.MediaTakenOver(visit=VISIT))
    assert [message.offer for _, _, message in rest if isinstance(message, server.MediaOffer)] == [3]


async def test_a_room_without_a_free_place_refuses() -> None:
    apart = await call()
    apart.media[0].full = RoomFullError()
    await apart.rooms.join(wire.Join(PATIENT, 7, 4))
    assert apart.codes() == ["room_full"]


@pytest.mark.parametrize(("problem", "answer"), [(ValueError(), "unavailable"), (None, "Done")])
async def test_a_join_from_another_worker_gets_an_answer_also_after_a_fault(
    problem: Exception | None, answer: str
) -> None:
    apart = RoomsApart(visits.live())
    if problem is not None:
        await apart.join(PATIENT)
        apart.media[0].full = problem
    apart.rooms.receive_from_worker(wire.Join(PROVIDER, 7, 4))
    await apart.run()
    assert apart.codes()[0] == answer


@pytest.mark.parametrize("joins_again", [False, True])
async def test_the_messages_of_a_connection_from_another_worker_are_handled_in_their_order(
    joins_again: bool,
) -> None:
    apart = await call()
    tab = member("provider", THIRD, "c_tab")
    messages: list[wire.RoomMessage] = [wire.Join(tab, 7, 4), wire.Left(tab, 7)]
    if joins_again:
        messages.append(wire.Join(tab, 7, 5))
    for message in messages:
        apart.rooms.receive_from_worker(message)
    await apart.run()
    assert ("provider" in apart.rooms._rooms[VISIT].participants) is joins_again
    assert apart.rooms._joining == {}


async def test_a_join_while_the_store_is_away_is_refused() -> None:
    apart = RoomsApart(visits.live())

    async def away(*_: Any) -> None:
        raise UnavailableError("store")

    apart.leases.muted = away  # type: ignore[assignment]
    apart.rooms.receive_from_worker(wire.Join(PATIENT, 7, 4))
    await apart.run()
    assert apart.codes() == ["unavailable"]


# --- requests of parties


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (wire.Restart(PATIENT, 7, 3), ["MediaOffer", "Done"]),
        (wire.Answer(PATIENT, 7, 3, 1, "answer"), ["Done"]),
        (wire.Mute(PATIENT, 7, 3, "audio", True, None), ["MediaMuted", "Done"]),
        (wire.Share(PROVIDER, 7, 3, "share"), ["MediaShared", "MediaShared", "Done"]),
        (wire.Share(PATIENT, 7, 3, "share"), ["not_allowed"]),
        (wire.Restart(member(connection="c_old"), 7, 3), ["no_room"]),
        (wire.Restart(member("guest-rosa"), 7, 3), ["no_room"]),
        (wire.Left(member(connection="c_old"), 7), []),
        (wire.Moved(member(connection="c_old"), 7), ["MediaTakenOver"]),
        (wire.Moved(member("guest-rosa"), 7), []),
        (wire.Left(member("guest-rosa"), 7), []),
    ],
)
async def test_each_message_of_a_party_has_its_answer(message: wire.RoomMessage, answer: list[str]) -> None:
    apart = await call()
    apart.rooms.receive(message)
    assert apart.codes() == answer


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (wire.Restart(PATIENT, 7, 3), ["no_room"]),
        (wire.Left(PATIENT, 7), []),
        (wire.Join(PATIENT, 7, 3), []),
        (wire.Moved(PATIENT, 7), []),
    ],
)
async def test_without_a_room_only_requests_are_refused(message: wire.RoomMessage, answer: list[str]) -> None:
    apart = RoomsApart(visits.live())
    join = apart.rooms.receive(message)
    assert apart.codes() == answer
    wanted = {wire.Join: wire.Join(PATIENT, 7, 3), wire.Moved: wire.Join(PATIENT, 7, None)}
    assert join == wanted.get(type(message))


@pytest.mark.parametrize(
    ("problem", "code"), [(PartyGoneError("ana"), "no_room"), (ValueError(), "unavailable")]
)
async def test_a_request_that_fails_is_answered_all_the_same(problem: Exception, code: str) -> None:
    apart = await call()
    apart.media[0].parties["patient"].fails["restart_ice"] = problem
    assert apart.rooms.receive(wire.Restart(PATIENT, 7, 3)) is None
    assert apart.codes() == [code]


@pytest.mark.parametrize(("offer", "taken"), [(1, True), (0, False), (2, False)])
async def test_only_the_answer_to_the_newest_offer_is_used(offer: int, taken: bool) -> None:
    apart = await call()
    apart.rooms.receive(wire.Answer(PATIENT, 7, 3, offer, "answer"))
    assert apart.media[0].parties["patient"].named("accept") == ([("answer",)] if taken else [])
    assert apart.codes() == ["Done"]


async def test_an_answer_that_cannot_be_used_is_refused_with_its_problem() -> None:
    apart = await call()
    apart.media[0].parties["patient"].fails["accept"] = BadSdpError("codec")
    apart.rooms.receive(wire.Answer(PATIENT, 7, 3, 1, "answer"))
    ((_, message),) = apart.sent()
    assert isinstance(message, server.Error)
    assert (message.reply_to, message.code, message.details) == (3, "bad_sdp", {"problem": "codec"})


async def test_a_restart_sends_an_offer_that_is_not_fresh() -> None:
    apart = await call()
    apart.rooms.receive(wire.Restart(PATIENT, 7, 3))
    assert apart.sent()[0] == (
        "patient",
        server.MediaOffer(visit=VISIT, offer=2, fresh=False, sdp="sdp of restart_ice", ice_servers=[]),
    )


async def test_what_a_party_turns_off_is_sent_to_the_others_and_stored() -> None:
    apart = await call()
    apart.rooms.receive(wire.Mute(PATIENT, 7, 3, "audio", True, None))
    assert apart.sent()[0] == (
        "provider",
        server.MediaMuted(visit=VISIT, party="patient", kind="audio", muted=True, missing=False),
    )
    assert apart.mutes.named("keep") == [(apart.rooms._rooms[VISIT], PATIENT)]


async def test_a_device_that_a_party_lacks_is_sent_to_the_others_and_causes_no_write() -> None:
    apart = await call()
    apart.rooms.receive(wire.Mute(PATIENT, 7, 3, "video", True, True))
    assert apart.sent()[0] == (
        "provider",
        server.MediaMuted(visit=VISIT, party="patient", kind="video", muted=False, missing=True),
    )
    assert apart.mutes.named("keep") == []


async def test_a_connection_that_moved_is_sent_what_may_have_changed_meanwhile() -> None:
    apart = await call()
    room = apart.rooms._rooms[VISIT]
    room.muted = {("provider", "osei"): frozenset({"audio"})}
    room.participants["provider"].path = "open"
    moved = member(worker=THIRD)
    apart.rooms.receive(wire.Moved(moved, 7))
    assert room.participants["patient"].member == moved
    found = [type(message).__name__ for party, message in apart.sent() if party == "patient"]
    assert found == ["MediaPath", "MediaShared", "MediaMuted", "MediaMuted"]


async def test_a_party_that_left_is_removed_and_its_quality_is_kept_before() -> None:
    apart = await call()
    room, media = apart.rooms._rooms[VISIT], apart.media[0].parties["patient"]
    room.participants["patient"].path = "open"
    apart.calls.calls.clear()
    apart.rooms.receive(wire.Left(PATIENT, 7))
    assert list(room.participants) == ["provider"]
    assert media.named("leave") == [()]
    assert [call[0] for call in apart.calls.calls] == ["look", "keep"]
    assert apart.calls.named("keep") == [(VISIT, room)]
    assert apart.codes() == ["MediaPath"], "the other one is sent that the path is lost"


async def test_a_new_offer_is_sent_when_the_media_asks_for_one() -> None:
    apart = await call()
    room = apart.rooms._rooms[VISIT]
    for party, event in (("patient", Connected()), ("patient", OfferNeeded()), ("nobody", OfferNeeded())):
        apart.rooms._media_news(room, party, event)
    offers = [message for _, message in apart.sent() if isinstance(message, server.MediaOffer)]
    assert [(offer.offer, offer.fresh) for offer in offers] == [(2, False)]
    assert [call[1] for call in apart.calls.named("follow")] == ["patient", "patient", "nobody"]
