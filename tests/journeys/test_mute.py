"""Tests that a muted microphone stays muted after a reload, and that both pages show it."""

from __future__ import annotations

import asyncio

from playwright.async_api import Browser, expect

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.journeys.people import in_call

QUIET_S = 2.0


async def test_a_muted_microphone_stays_off_over_a_reload_until_its_owner_unmutes(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server(workers=2)
    patient, provider = await in_call(browser, server)
    await patient.press("Mute")
    await provider.sees("Microphone is off")
    await patient.page.reload()
    await expect(patient.page.get_by_role("button", name="Unmute")).to_be_visible(timeout=SHOWN_MS)
    await patient.sees_and_hears()
    await provider.sees("Microphone is off")
    await provider.sees_picture()
    before = await provider.received()
    await asyncio.sleep(QUIET_S)
    await provider.sees_picture()
    after = await provider.received()
    assert after["audioBytes"] == before["audioBytes"]
    await patient.press("Unmute")
    await provider.sees_and_hears()
    await expect(provider.page.get_by_text("Microphone is off")).to_have_count(0)
    assert [*patient.problems, *provider.problems] == []
