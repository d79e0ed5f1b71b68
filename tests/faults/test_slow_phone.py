"""Tests a patient's pages on a slow phone: 400 kbit/s and a delay of 400 ms, emulated by Chromium's developer tools."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.faults.conftest import Measured
from tests.journeys.people import Patient, person

SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
PHONE = {"viewport": {"width": 390, "height": 844}}
USABLE = """new MutationObserver(() => {
    if (!window.usable && document.querySelector("main input")) window.usable = performance.now();
}).observe(document, { subtree: true, childList: true });"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@pytest.mark.minutes
async def test_f49_a_patient_sees_the_page_and_can_use_it_on_a_slow_phone(
    browser: Browser, greenroom_server: StartServer, measured: Measured
) -> None:
    patient: Patient = await person(browser, greenroom_server(), Patient, **PHONE)
    await patient.meet_now()
    page = patient.page
    await page.add_init_script(USABLE)
    tools = await page.context.new_cdp_session(page)
    await tools.send("Network.enable")
    await tools.send("Network.emulateNetworkConditions", SLOW)
    for visit, painted_s, usable_s in (("first", 1.2, 2.5), ("second", 0.8, 1.6)):
        if visit == "first":
            await tools.send("Network.clearBrowserCache")
        await page.goto("about:blank")
        await patient.go("/demo/visit")
        usable = await page.wait_for_function("() => window.usable", timeout=SHOWN_MS)
        painted = await page.evaluate(PAINTED)
        measured("F", f"slow phone, {visit} visit: painted", painted / 1000, "s", at_most=painted_s)
        usable_ms = await usable.json_value()
        measured("F", f"slow phone, {visit} visit: usable", usable_ms / 1000, "s", at_most=usable_s)
