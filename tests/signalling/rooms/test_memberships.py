"""Tests which room a connection is in, and that the move of a room to another worker does not bring a party back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.rooms import worker_messages as wire
from tests.signalling.clinic import clinic
from tests.signalling.rooms.apart import OTHER
from tests.signalling.rooms.calls import both, join
from tests.signalling.rooms.test_memberships_apart import PATIENT, joined
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
