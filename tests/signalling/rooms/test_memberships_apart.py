"""Tests how a worker keeps the memberships of its connections in rooms, without a store, a relay or sockets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.errors import SupersededError, UnavailableError
from signalling.protocol import server_messages as server
from signalling.protocol.codec import CODECS
from signalling.rooms import worker_messages as wire
from signalling.rooms.lease import Lease
from signalling.store.mirror import Change, Reset
from tests.signalling import visits
from tests.signalling.rooms.apart import OTHER, OWN, THIRD, VISIT, FakeSocket, MembershipsApart, member

PATIENT = member()
JSON, PACKED = CODECS["greenroom.v1.json"], next(c for c in CODECS.values() if not c.text)
GONE = server.MediaGone(visit=VISIT)


def connected(apart: MembershipsApart, codec: Any = JSON, connection: str = "c_patient") -> FakeSocket:
    """Add a new socket to the worker `apart`, and return it. `connection`: the id of its connection."""
    socket = apart.sockets[connection] = FakeSocket(codec)
    return socket


async def joined(owner: str = OTHER, request: int | None = None) -> tuple[MembershipsApart, FakeSocket]:
    """Return (the memberships, the patient's socket): the patient has joined the room, which the worker `owner` owns.

    `request`: the number of the patient's request, None if it was answered.
    """
    apart = MembershipsApart()
    socket = connected(apart)
    apart.leases.taken = Lease(owner, 7)
    await apart.memberships.join(PATIENT, request)
    apart.published.clear()
    return apart, socket


def refusals(socket: FakeSocket) -> list[tuple[int | None, str]]:
    """Return (request, code) of each error that was sent on a socket."""
    sent = [message for (message,) in socket.named("send")]
    return [(error.reply_to, error.code) for error in sent if isinstance(error, server.Error)]


def restart(id: int = 3) -> Any:
    """Return a function that makes a member's request for new ICE credentials. `id`: the number of the request."""
    return lambda who, fence: wire.Restart(who, fence, id)


# --- requests of parties


async def test_a_worker_that_drains_lets_nobody_join() -> None:
    apart = MembershipsApart()
    apart.memberships.draining = True
    with pytest.raises(UnavailableError, match="draining"):
        await apart.memberships.join(PATIENT, 1)


@pytest.mark.parametrize("taken_from", [None, THIRD])
async def test_a_party_joins_at_the_owner_of_the_lease(taken_from: str | None) -> None:
    for owner in (OWN, OTHER):
        apart = MembershipsApart()
        apart.leases.taken = Lease(owner, 7, taken_from)
        await apart.memberships.join(PATIENT, 5)
        join = wire.Join(PATIENT, 7, 5)
        lost = [] if taken_from is None else [(THIRD, wire.encode(wire.Lost(VISIT, 7)))]
        assert apart.joined == ([join] if owner == OWN else [])
        assert apart.published == [*lost, *([] if owner == OWN else [(OTHER, wire.encode(join))])]
        assert apart.memberships.holds("c_patient")
        assert list(apart.memberships.owners()) == [owner]


@pytest.mark.parametrize("failure", ["cut_off", "away"])
async def test_a_join_that_does_not_reach_the_owner_is_answered_by_the_caller(failure: str) -> None:
    apart = MembershipsApart()
    socket = connected(apart)
    apart.leases.taken = Lease(OTHER, 7)
    setattr(apart, failure, True)
    with pytest.raises(UnavailableError):
        await apart.memberships.join(PATIENT, 5)
    apart.memberships.superseded("c_patient")
    assert refusals(socket) == [], "only once"
    with pytest.raises(UnavailableError):
        await apart.memberships.join(PATIENT, None)


async def test_a_join_that_fails_after_the_membership_ended_was_answered_already() -> None:
    apart = MembershipsApart()
    socket = connected(apart)
    apart.leases.taken = Lease(OTHER, 7)

    async def ends(channel: str, data: bytes) -> bool:
        apart.memberships.superseded("c_patient")
        return False

    apart.service.bus.publish = ends
    await apart.memberships.join(PATIENT, 5)
    assert refusals(socket) == [(5, "unavailable")]


async def test_a_lease_that_was_taken_for_a_membership_which_ended_meanwhile_is_not_used() -> None:
    apart, _ = await joined()
    moving = apart.memberships._memberships["c_patient"]
    await apart.memberships.join(PATIENT, None, moving=moving)
    assert len(apart.published) == 1
    await apart.memberships.join(PATIENT, None, moving=moving)
    assert len(apart.published) == 1, "another membership has replaced it"


async def test_the_owner_is_chosen_near_the_people_of_the_visit() -> None:
    apart = MembershipsApart()
    assert apart.memberships._near(PATIENT) == [OWN]
    apart.mirror = SimpleNamespace(visits={})
    assert apart.memberships._near(PATIENT) == [OWN]
    apart.mirror = SimpleNamespace(visits={VISIT: visits.claimed()})
    assert apart.memberships._near(PATIENT) == [OWN, "w1", "w2"]


async def test_a_request_is_passed_to_the_owner_of_the_room_of_its_visit() -> None:
    apart, socket = await joined(OTHER)
    ask = apart.memberships.ask
    assert not ask("c_unknown", VISIT, restart())
    assert not ask("c_patient", "v_other", restart())
    assert (apart.published, apart.own.calls) == ([], [])
    assert ask("c_patient", VISIT, restart())
    assert apart.published == [(OTHER, wire.encode(wire.Restart(PATIENT, 7, 3)))]
    apart.failures[-1]()
    apart.failures[-1]()
    assert refusals(socket) == [(3, "unavailable")]
    apart, _ = await joined(OWN)
    assert apart.memberships.ask("c_patient", VISIT, restart())
    assert (apart.own.named("receive"), apart.published) == ([(wire.Restart(PATIENT, 7, 3),)], [])


async def test_a_request_that_cannot_be_sent_is_answered_by_the_caller() -> None:
    apart, socket = await joined(OTHER)
    apart.away = True
    with pytest.raises(UnavailableError):
        apart.memberships.ask("c_patient", VISIT, restart())
    apart.memberships.superseded("c_patient")
    assert refusals(socket) == []


@pytest.mark.parametrize(("owner", "own", "others"), [(OWN, 1, 0), (OTHER, 0, 1)])
async def test_a_closed_connection_leaves_its_room_once(owner: str, own: int, others: int) -> None:
    apart, _ = await joined(owner)
    for _ in range(2):
        await apart.memberships.leave("c_patient", VISIT)
    assert (len(apart.own.calls), len(apart.published)) == (own, others)
    sent = apart.own.named("receive")[0][0] if own else wire.decode(apart.published[0][1])
    assert sent == wire.Left(PATIENT, 7)
    assert not apart.memberships.holds("c_patient")


async def test_a_leave_that_does_not_reach_the_owner_is_an_error() -> None:
    apart, _ = await joined(OTHER)
    apart.cut_off = True
    with pytest.raises(UnavailableError):
        await apart.memberships.leave("c_patient", VISIT)


async def test_every_request_of_a_membership_that_ends_is_refused_on_its_own_socket() -> None:
    apart, socket = await joined(OTHER, 1)
    apart.memberships.ask("c_patient", VISIT, restart(2))
    apart.memberships.superseded("c_patient")
    assert refusals(socket) == [(1, "unavailable"), (2, "unavailable")]
    apart, socket = await joined(OTHER, 1)
    new = connected(apart)
    apart.memberships.superseded("c_patient")
    assert (refusals(socket), refusals(new)) == ([], []), "the new socket numbers its requests anew"


# --- connections that are resumed


@pytest.mark.parametrize(
    ("lease", "dead", "sent"),
    [
        (None, set[str](), []),
        (Lease(OTHER, 7), set[str](), [wire.Moved(PATIENT, 7)]),
        (Lease(OTHER, 7), {OTHER}, [wire.Join(PATIENT, 9, None)]),
    ],
)
async def test_a_resumed_connection_is_put_back_into_the_call(
    lease: Lease | None, dead: set[str], sent: list[wire.AnyMessage]
) -> None:
    apart = MembershipsApart()
    apart.leases.held, apart.leases.taken, apart.dead = lease, Lease(THIRD, 9), dead
    await apart.memberships.rejoin(PATIENT, origin=None)  # type: ignore[arg-type]
    assert [wire.decode(data) for _, data in apart.published] == sent
    assert apart.memberships.holds("c_patient") is (lease is not None)


async def test_a_resumed_connection_joins_anew_if_its_own_worker_lacks_it_in_the_room() -> None:
    apart = MembershipsApart()
    join = wire.Join(PATIENT, 7, None)
    apart.memberships.rooms.receive = lambda message: join  # type: ignore[method-assign]
    await apart.memberships.rejoin(PATIENT, origin=None)  # type: ignore[arg-type]
    assert apart.joined == [join]


# --- another worker becomes the room's owner


async def test_only_the_members_of_a_dead_owner_move_and_each_once() -> None:
    apart, _ = await joined(OTHER)
    apart.memberships.move_from(frozenset({THIRD}))
    assert apart.tasks == []
    for _ in range(2):
        apart.memberships.move_from(frozenset({OTHER}))
    assert len(apart.tasks) == 1
    apart.leases.taken = Lease(THIRD, 8)
    await apart.run()
    assert apart.published == [(THIRD, wire.encode(wire.Join(PATIENT, 8, None)))]
    apart.memberships.move_from(frozenset({THIRD}))
    assert len(apart.tasks) == 1, "it may move again later"
    await apart.run()


@pytest.mark.parametrize(("visit", "fence", "moves"), [(VISIT, 7, 0), (VISIT, 8, 1), ("v_other", 8, 0)])
async def test_a_member_moves_if_its_visits_lease_is_newer(visit: str, fence: int, moves: int) -> None:
    apart, _ = await joined(OTHER)
    apart.memberships.lost(visit, fence)
    assert len(apart.tasks) == moves
    await apart.run()


@pytest.mark.parametrize(
    ("problem", "sent"), [(SupersededError(), []), (UnavailableError("store"), [(GONE,)])]
)
async def test_a_move_that_fails_ends_the_membership_and_its_client_is_sent_that_the_media_is_gone(
    problem: Exception, sent: list[Any]
) -> None:
    apart, socket = await joined(OTHER)

    async def take(*_: Any, **__: Any) -> Lease:
        raise problem

    apart.leases.take = take  # type: ignore[method-assign]
    apart.memberships.move_from(frozenset({OTHER}))
    await apart.run()
    assert not apart.memberships.holds("c_patient")
    assert socket.named("send") == sent


@pytest.mark.parametrize("problem", [SupersededError(), UnavailableError("store")])
async def test_a_move_that_fails_does_not_end_a_newer_membership(problem: Exception) -> None:
    apart, _ = await joined(OTHER)
    take = apart.leases.take

    async def late(*who: Any, **how: Any) -> Lease:
        apart.leases.take = take  # type: ignore[method-assign]
        await apart.memberships.join(PATIENT, None)
        raise problem

    apart.leases.take = late  # type: ignore[method-assign]
    apart.memberships.move_from(frozenset({OTHER}))
    await apart.run()
    assert apart.memberships.holds("c_patient")


async def test_a_member_that_joined_again_meanwhile_does_not_move() -> None:
    apart, _ = await joined(OTHER)
    apart.memberships.move_from(frozenset({OTHER}))
    await apart.memberships.join(PATIENT, None)
    apart.published.clear()
    await apart.run()
    assert apart.published == []


# --- changes of the visit's record


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("is_in", [False, True])
async def test_a_membership_ends_when_the_person_is_no_longer_in_the_visit(reset: bool, is_in: bool) -> None:
    apart, _ = await joined(OTHER)
    before = visits.claimed()
    after = before if is_in else replace(before, parties={"provider": before.parties["provider"]})
    if reset:
        apart.memberships.news(Reset(visits.ORG))
        assert apart.memberships.holds("c_patient"), "without a copy of the records nothing is known"
        apart.mirror = SimpleNamespace(visits={VISIT: after})
        apart.memberships.news(Reset(visits.ORG))
    else:
        apart.memberships.news(Change(visits.ORG, 9, "left", None, after))
    assert apart.memberships.holds("c_patient") is is_in


async def test_a_change_of_other_visits_and_of_the_same_people_ends_nothing() -> None:
    apart, _ = await joined(OTHER)
    visit = visits.claimed()
    provider_only = replace(visit, parties={"provider": visit.parties["provider"]})
    for before, after in ((provider_only, provider_only), (None, replace(provider_only, id="v_other"))):
        apart.memberships.news(Change(visits.ORG, 9, "left", before, after))
    assert apart.memberships.holds("c_patient")
    apart.memberships.close_room("v_other")
    assert apart.memberships.holds("c_patient")
    apart.memberships.close_room(VISIT)
    assert not apart.memberships.holds("c_patient")


# --- messages from the worker that owns the room


async def test_a_message_for_a_member_of_this_worker_goes_to_its_socket() -> None:
    apart, socket = await joined(OWN)
    apart.memberships.send(PATIENT, 7, GONE)
    assert socket.named("send") == [(GONE,)]
    apart.memberships.send(PATIENT, 7, server.MediaTakenOver(visit=VISIT))
    assert not apart.memberships.holds("c_patient")
    apart.memberships.send(member(connection="c_closed"), 7, GONE)


@pytest.mark.parametrize(
    ("message", "reply_to", "replaced"),
    [
        (server.Done(reply_to=4, version=0), 4, False),
        (server.MediaTakenOver(visit=VISIT), None, True),
        (GONE, None, False),
    ],
)
async def test_a_message_for_a_member_of_another_worker_names_its_request_and_its_lease(
    message: Any, reply_to: int | None, replaced: bool
) -> None:
    apart = MembershipsApart()
    apart.memberships.send(member(worker=OTHER), 7, message)
    ((worker, data),) = apart.published
    assert worker == OTHER
    assert wire.decode(data) == wire.Deliver(
        "c_patient", 7, "greenroom.v1.json", JSON.encode(message), reply_to, replaced
    )


async def test_a_message_that_cannot_be_sent_to_another_worker_is_dropped() -> None:
    apart = MembershipsApart()
    apart.memberships.send_lost(OTHER, VISIT, 9)
    assert apart.published == [(OTHER, wire.encode(wire.Lost(VISIT, 9)))]
    apart.away = True
    apart.memberships.send(member(worker=OTHER), 7, GONE)
    apart.memberships.send_lost(OTHER, VISIT, 9)


def delivery(message: Any = GONE, reply_to: int | None = None, fence: int = 7, **more: Any) -> wire.Deliver:
    """Return a message of the room's owner for the patient. `fence`: the number of the owner's lease.

    `reply_to`: the request that the message answers, or None.
    """
    return wire.Deliver(
        "c_patient", fence, "greenroom.v1.json", JSON.encode(message), reply_to, more.get("replaced", False)
    )


@pytest.mark.parametrize(("fence", "arrives"), [(6, False), (7, True), (8, True)])
async def test_a_message_of_an_owner_with_an_older_lease_is_dropped(fence: int, arrives: bool) -> None:
    apart, socket = await joined(OTHER)
    apart.memberships.delivered(delivery(fence=fence))
    assert len(socket.named("write")) == arrives
    apart.memberships.superseded("c_patient")
    apart.memberships.delivered(delivery(fence=0))
    assert len(socket.named("write")) == arrives + 1, "without a membership no lease is known"


async def test_a_reply_reaches_the_socket_that_asked_and_only_once() -> None:
    done = server.Done(reply_to=4, version=0)
    apart, socket = await joined(OTHER, 4)
    apart.memberships.delivered(delivery(done, 5))
    assert socket.calls == [], "nobody asked"
    for _ in range(2):
        apart.memberships.delivered(delivery(done, 4))
    assert len(socket.named("write")) == 1
    assert socket.named("write")[0][0].endswith(JSON.encode(done))
    apart, socket = await joined(OTHER, 4)
    new = connected(apart)
    apart.memberships.delivered(delivery(done, 4))
    assert (socket.calls, new.calls) == ([], [])
    apart = MembershipsApart()
    apart.memberships.delivered(delivery(done, 4))


async def test_a_connection_with_another_encoding_gets_the_message_in_its_own() -> None:
    apart, _ = await joined(OTHER)
    socket = connected(apart, PACKED)
    apart.memberships.delivered(delivery())
    assert socket.calls == [("send", GONE)]
    del apart.sockets["c_patient"]
    apart.memberships.delivered(delivery())


async def test_a_connection_that_was_replaced_loses_its_membership_with_the_message() -> None:
    apart, socket = await joined(OTHER)
    apart.memberships.delivered(delivery(server.MediaTakenOver(visit=VISIT), replaced=True))
    assert not apart.memberships.holds("c_patient")
    assert len(socket.named("write")) == 1
