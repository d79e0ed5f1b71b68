"""Tests how rooms change with their leases and with the records of their visits, without a store or a relay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.protocol import server_messages as server
from signalling.rooms import worker_messages as wire
from signalling.rooms.lease import Lease
from signalling.rooms.rooms import CHECK_S
from signalling.store.mirror import Change, Reset
from signalling.visit import commands as c
from signalling.visit.record import Visit
from tests.signalling import visits
from tests.signalling.rooms.apart import OTHER, OWN, VISIT, RoomsApart, member
from tests.signalling.rooms.test_rooms_apart import PATIENT, PROVIDER, call


def with_guest(visit: Visit, *, started: bool) -> Visit:
    """Return the visit with a guest, who has pressed Start Session if `started`."""
    invited = visits.does(visit, c.Invite("guest-rosa", "Rosa", "interpreter"), visits.CLAIMANT)
    guest = replace(invited.parties["guest-rosa"], started_ms=visits.T0 if started else None)
    return replace(invited, parties={**invited.parties, "guest-rosa": guest})


# --- a room that another worker has taken over


def test_the_leases_are_checked_every_two_seconds() -> None:
    assert CHECK_S == 2.0


@pytest.mark.parametrize(("fence", "closed"), [(6, False), (7, False), (8, True)])
async def test_a_newer_lease_closes_the_room_and_is_passed_on(fence: int, closed: bool) -> None:
    apart = await call()
    media = apart.media[0]
    apart.rooms.lost(VISIT, fence)
    assert (VISIT not in apart.rooms._rooms, media.named("close") == [()]) == (closed, closed)
    assert apart.parties.named("send_lost") == ([(OTHER, VISIT, fence)] if closed else [])
    assert apart.parties.named("lost") == [(VISIT, fence)], "a member may belong to the older lease too"
    assert apart.changes == 1 + closed


async def test_a_message_with_a_newer_lease_closes_the_room_first() -> None:
    apart = await call()
    apart.rooms.receive(wire.Restart(PATIENT, 8, 3))
    assert apart.rooms._rooms == {}
    assert apart.codes() == ["no_room"]


@pytest.mark.parametrize(
    ("held", "taken", "fence", "lost"),
    [
        (Lease(OWN, 7), None, 7, None),
        (Lease(OTHER, 9), None, None, 9),
        (Lease(OTHER, 3), None, None, 8),
        (None, Lease(OWN, 12), 12, None),
        (None, Lease(OTHER, 12), None, 12),
    ],
)
async def test_a_check_of_the_leases_finds_rooms_that_were_lost(
    held: Lease | None, taken: Lease | None, fence: int | None, lost: int | None
) -> None:
    apart = await call()
    apart.leases.held = held
    if taken is not None:
        apart.leases.taken = taken
    await apart.rooms._check()
    room = apart.rooms._rooms.get(VISIT)
    assert (room.fence if room is not None else None) == fence
    assert apart.parties.named("lost") == ([] if lost is None else [(VISIT, lost)])
    assert apart.leases.known == ([7] if held is None else [])


# --- changes of the visit's record


async def test_a_party_that_is_no_longer_in_the_visit_is_removed_and_shown_with_nothing_off() -> None:
    apart = await call()
    room = apart.rooms._rooms[VISIT]
    room.muted = {("provider", "osei"): frozenset({"audio"})}
    room.missing = {("provider", "osei"): frozenset({"video"})}
    visit = visits.live()
    patient_only = replace(visit, parties={"patient": visit.parties["patient"]})
    apart.rooms.news(Change(visits.ORG, 9, "released", visit, patient_only))
    assert list(room.participants) == ["patient"]
    shown = [(to, m.party, m.kind, m.muted) for to, m in apart.sent() if isinstance(m, server.MediaMuted)]
    assert sorted(shown) == [("patient", "provider", kind, False) for kind in ("audio", "video")]


@pytest.mark.parametrize(("visit", "open_"), [(visits.claimed(), False), (visits.live(), True)])
async def test_the_gate_and_the_call_follow_the_visit(visit: Visit, open_: bool) -> None:
    apart = await call()
    apart.calls.calls.clear()
    apart.rooms.news(Change(visits.ORG, 9, "started", None, visit))
    room = apart.rooms._rooms[VISIT]
    assert apart.media[0].gate is open_
    names = {key: party.name for key, party in visit.parties.items()}
    assert apart.calls.named("talking") == [(room, names if open_ else {})]


@pytest.mark.parametrize("started", [True, False])
async def test_a_guest_takes_part_only_after_the_guests_own_start(started: bool) -> None:
    apart = RoomsApart(with_guest(visits.live(), started=False))
    await apart.join(PATIENT, member("guest-rosa"))
    assert apart.media[0].named("join")[1] == ("guest-rosa", "patient", False)
    after = with_guest(visits.live(), started=started)
    apart.rooms.news(Change(visits.ORG, 9, "started", None, after))
    assert apart.media[0].parties["guest-rosa"].named("set_admitted") == [(started,)]
    assert ("guest-rosa" in apart.calls.named("talking")[-1][1]) is started


@pytest.mark.parametrize("reset", [False, True])
async def test_the_end_of_a_visit_closes_its_room_and_gives_the_lease_back(reset: bool) -> None:
    apart = await call()
    media = apart.media[0]
    if reset:
        apart.rooms.news(Reset(visits.ORG))
        assert VISIT in apart.rooms._rooms, "without a copy of the records nothing is known"
        apart.mirror = SimpleNamespace(visits={})
        apart.rooms.news(Reset("elsewhere"))
        assert VISIT in apart.rooms._rooms
        apart.rooms.news(Reset(visits.ORG))
    else:
        apart.rooms.news(Change(visits.ORG, 9, "ended", None, visits.ended()))
    assert apart.rooms._rooms == {}
    assert media.named("close") == [()]
    assert apart.parties.named("close_room") == [(VISIT,)]
    await apart.run()
    assert apart.leases.given_back == [(visits.ORG, VISIT, 7)]


async def test_a_lease_is_kept_if_the_room_was_opened_again_or_the_store_is_away() -> None:
    apart = await call()
    room = apart.rooms._rooms[VISIT]
    await apart.rooms._give_back(VISIT, room)
    assert apart.leases.given_back == []
    apart.rooms._rooms.clear()
    apart.leases.away = True
    await apart.rooms._give_back(VISIT, room)
    assert apart.leases.given_back == []


async def test_a_drain_waits_for_the_parties_of_its_own_worker_and_stores_the_quality() -> None:
    apart = RoomsApart(visits.live())
    await apart.join(PROVIDER)
    finished: list[str] = []

    async def finish(visit: str, room: Any) -> None:
        finished.append(visit)

    apart.calls.finish = finish  # type: ignore[attr-defined]
    await apart.rooms.drain(3600.0)
    await apart.join(PATIENT)
    await apart.rooms.drain(0.0)
    assert finished == [VISIT, VISIT]


async def test_a_worker_that_stops_leaves_no_timer_of_its_rooms() -> None:
    apart = await call()
    waiting = [participant.overdue for participant in apart.rooms._rooms[VISIT].participants.values()]
    apart.rooms.close()
    assert [timer is not None and timer.cancelled() for timer in waiting] == [True, True]
    assert apart.calls.named("close") == [()]
