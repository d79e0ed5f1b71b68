"""Tests a clinic with plain pytest, without a plugin: each test plays one visit. Run it: `pytest test_with_pytest.py`.

Each deliberate fault, such as a lost network, is a method of the synthetic person.
"""

import asyncio
import contextlib
import os

from greenroom import Patient, Provider, RefusedError

URL = os.environ["GREENROOM_URL"]
EMAIL, PASSWORD = os.environ["GREENROOM_EMAIL"], os.environ["GREENROOM_PASSWORD"]


def test_a_patient_who_reloads_while_waiting_is_pulled_in_all_the_same() -> None:
    async def story() -> None:
        async with Provider(URL, EMAIL, PASSWORD) as provider, Patient(URL) as patient:
            await provider.sign_in()
            await provider.on_call()
            visit = await patient.meet_now()
            await patient.reload()
            await provider.claim(visit)
            room = await patient.pulled_in(timeout_s=5)
            assert room.status == "claimed"
            assert patient.seen.returned == 1

    asyncio.run(story())


def test_nobody_claims_without_being_on_call() -> None:
    async def story() -> None:
        async with Provider(URL, EMAIL, PASSWORD) as provider, Patient(URL) as patient:
            await provider.sign_in()
            await provider.on_call(on=False)
            visit = await patient.meet_now()
            with contextlib.suppress(RefusedError):
                await provider.claim(visit)
            assert provider.seen.refusals == ["not_on_call"]

    asyncio.run(story())
