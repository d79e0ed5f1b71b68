"""Tests a party that leaves a room while the room moves to another worker: the move does not bring the party back."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from tests.signalling.clinic import clinic
from tests.signalling.rooms.calls import both, join
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
