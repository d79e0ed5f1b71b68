"""Commands of one worker on one visit: one after the other, and no longer than that."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from signalling.service import Accepted
from signalling.visit import commands as c
from tests.signalling.clinic import clinic


async def test_a_command_goes_ahead_as_soon_as_the_one_before_it_is_done(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.service.TURN_S", 3600.0)
    async with clinic(valkey, 1) as one:
        patient, service = await one.arrive(), one.workers[0].service
        saved = [c.Save("allergies", f"{number}", left=False) for number in range(3)]
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(
                *(service.command(patient, patient.visit or "", command) for command in saved)
            )
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)


async def test_a_command_that_has_waited_long_enough_goes_ahead_without_its_turn(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.service.TURN_S", 0.0)
    async with clinic(valkey, 1) as one:
        patient, service = await one.arrive(), one.workers[0].service
        saved = [c.Save("allergies", f"{number}", left=False) for number in range(2)]
        outcomes = await asyncio.gather(
            *(service.command(patient, patient.visit or "", command) for command in saved)
        )
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
