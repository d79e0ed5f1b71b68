"""Tests that a worker carries out the commands on one visit one after another, and that none waits longer than its
limit.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.service import Accepted
from signalling.visit import commands as c
from signalling.visit.record import Actor
from signalling.visit.relations import Refusal
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
        carry_out, held = service._carry_out, asyncio.Event()

        async def slow(actor: Actor, visit: str, command: c.Command, *rest: Any) -> Accepted | Refusal:
            if command == saved[0]:
                await held.wait()
            return await carry_out(actor, visit, command, *rest)

        monkeypatch.setattr(service, "_carry_out", slow)
        saved = [c.Save("allergies", f"{number}", left=False) for number in range(2)]
        first, second = (
            asyncio.create_task(service.command(patient, patient.visit or "", command)) for command in saved
        )
        async with asyncio.timeout(60):
            assert isinstance(await second, Accepted)
        held.set()
        assert isinstance(await first, Accepted)
