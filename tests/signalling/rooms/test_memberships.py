"""Tests which room a connection is in, and that the move of a room to another worker does not bring a party back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.protocol import server_messages as server
from signalling.rooms import worker_messages as wire
from tests.signalling.clinic import clinic
from tests.signalling.rooms.apart import OTHER, OWN, VISIT
from tests.signalling.rooms.calls import both, join
from tests.signalling.rooms.test_memberships_apart import JSON, PATIENT, joined
from tests.signalling.waits import until


@pytest.mark.parametrize("ends", [True, False])
async def test_a_membership_that_ends_while_it_moves_stays_ended(
    valkey: Redis, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, _ = await both(one)
        await join(their, patient)
        memberships, connection = one.workers[0].memberships, their.welcome["connection"]
        take, taken = memberships._leases.take, list[object]()

        async def take_late(*who: Any, **how: Any) -> Any:
            lease = await take(*who, **how)
            if ends:
                memberships.superseded(connection)
            taken.append(lease)
            return lease

        monkeypatch.setattr(memberships._leases, "take", take_late)
        memberships.move_from(frozenset({one.workers[0].id}))
        await until(lambda: taken)
        assert memberships.holds(connection) is not ends
        if not ends:
            assert (await their.expect("media.offer"))["offer"]


async def test_a_connection_that_leaves_the_page_of_another_visit_stays_in_its_room() -> None:
    apart, _ = await joined(OTHER)
    await apart.memberships.leave("c_patient", "v_another")
    assert (apart.published, apart.memberships.holds("c_patient")) == ([], True)


async def test_a_connection_that_joins_another_room_leaves_its_room() -> None:
    apart, _ = await joined(OTHER)
    await apart.memberships.join(another := replace(PATIENT, visit="v_another"), None)
    left, join = (wire.decode(data) for _, data in apart.published)
    assert (left, join) == (wire.Left(PATIENT, 7), wire.Join(another, 7, None))


async def test_a_connection_that_joins_again_keeps_its_place_if_another_had_taken_it_before() -> None:
    apart, socket = await joined(OTHER)
    taken_over = server.MediaTakenOver(visit=VISIT)
    late = wire.Deliver("c_patient", 7, JSON.subprotocol, JSON.encode(taken_over), None, True)
    await apart.memberships.join(PATIENT, 5)
    apart.memberships.delivered(late)
    assert (apart.memberships.holds("c_patient"), socket.calls) == (True, [])
    done = JSON.encode(server.Done(reply_to=5, version=0))
    apart.memberships.delivered(wire.Deliver("c_patient", 7, JSON.subprotocol, done, 5, False))
    apart.memberships.delivered(late)
    assert (apart.memberships.holds("c_patient"), len(socket.named("write"))) == (False, 2)


async def test_a_connection_that_joins_again_at_its_own_worker_keeps_its_place_too() -> None:
    apart, socket = await joined(OWN)
    taken_over = server.MediaTakenOver(visit=VISIT)

    async def join(message: wire.Join) -> None:
        apart.memberships.send(PATIENT, 7, taken_over)

    rooms: Any = apart.memberships.rooms
    rooms.join = join
    await apart.memberships.join(PATIENT, 5)
    assert (apart.memberships.holds("c_patient"), socket.calls) == (True, [])
    apart.memberships.send(PATIENT, 7, taken_over)
    assert (apart.memberships.holds("c_patient"), socket.named("send")) == (False, [(taken_over,)])
