"""Tests a visit on a clinic's own site that serves our server below a path, and in a frame on another site of the
clinic.
"""

from __future__ import annotations

import asyncio
import re
from typing import cast

import pytest
from playwright.async_api import Browser, Page

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.journeys.people import Patient, Staff, on_call, person, see_and_hear
from tests.journeys.site import Proxy, below
from tests.server import RunningServer

PREFIX = "/greenroom"
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.mark.long
async def test_f47_a_visit_below_a_path_of_the_clinics_site_and_in_a_frame_of_another(
    browser: Browser, start_server: StartServer
) -> None:
    async with below(PREFIX) as site:
        server = start_server({"server": {"public_url": site.url + PREFIX, "demo": "yes"}})
        while not (told := [event for event in server.events if event["event"] == "server.listening"]):
            assert server.process.poll() is None, server.log
            await asyncio.sleep(0.02)
        site.server = f"http://127.0.0.1:{told[0]['port']}"
        # The start is awaited in a thread: the server's address is that of the proxy, which runs in this event loop,
        # so the loop must not be blocked.
        await asyncio.to_thread(server.wait)
        provider = await on_call(browser, server)
        patient: Patient = await person(browser, server, Patient, **PHONE)
        await patient.meet_now()
        await provider.sees("Ana Ruiz")
        await provider.claim()
        await patient.sees("Start Session")
        await patient.sees(re.compile("Maya Osei is here"))
        assert provider.page.url.startswith(f"{site.url}{PREFIX}/demo/staff/visits/")
        await patient.page.reload()
        await patient.sees("Start Session")
        await has_a_visit_in_a_frame(browser, server, site)
        assert site.elsewhere == []
        assert [*patient.problems, *provider.problems] == []


async def has_a_visit_in_a_frame(browser: Browser, server: RunningServer, site: Proxy) -> None:
    """Play a whole visit whose patient is in a frame on a page of another site. The frame is made with the code that
    the set-up shows.
    """
    other: Patient = await person(browser, server, Patient, **PHONE)
    site.pages["/before"] = f'<iframe src="{server.url}/demo"></iframe>'
    await other.page.goto(f"{site.other}/before")
    async with asyncio.timeout(SHOWN_MS / 1000):
        while not any("frame-ancestors 'none'" in said for said in other.problems):
            await other.page.wait_for_timeout(20)
    admin: Staff = await person(browser, server, Staff)
    await admin.sign_in("admin")
    await admin.go("/demo/staff/setup/calendar")
    await admin.page.locator("[name=frame_origins]").fill(site.other)
    await admin.press("Save")
    await admin.sees("Saved")
    await admin.go("/demo/staff/setup/links")
    await other.page.reload()
    allowed = await other.page.frames[1].evaluate("document.featurePolicy.allowsFeature('camera')")
    assert allowed is False, "what the code of the set-up has, and this page has not"
    site.pages["/visits"] = await admin.page.locator("#frame-code").inner_text()
    await admin.page.context.close()
    provider = await on_call(browser, server, "lind")
    patient: Patient = await person(browser, server, Patient, **PHONE)
    await patient.page.goto(f"{site.other}/visits")
    top, frame = patient.page, patient.page.frames[1]
    patient.page = cast(Page, frame)
    await patient.gets_in_line(name="Fatima Noor")
    await provider.claim("Fatima Noor")
    await patient.press("Start Session")
    await provider.press("Start Session")
    await see_and_hear(patient, provider)
    kept = [one for one in await top.context.cookies() if one["name"] == "greenroom-frame"]
    assert [(one["sameSite"], one["secure"], one["httpOnly"]) for one in kept] == [("None", True, True)]
    assert top.url == f"{site.other}/visits"
    assert [*patient.problems, *provider.problems] == []
