"""A visit on a clinic's own site, which shows the server below a path."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Browser

from tests.conftest import StartServer
from tests.journeys.people import Patient, on_call, person
from tests.journeys.site import below

PREFIX = "/greenroom"
PHONE = {"viewport": {"width": 390, "height": 844}}


async def test_f47_a_visit_below_a_path_of_the_clinics_site(
    browser: Browser, start_server: StartServer
) -> None:
    async with below(PREFIX) as site:
        server = start_server({"server": {"public_url": site.url + PREFIX, "demo": "yes"}})
        while not (told := [event for event in server.events if event["event"] == "server.listening"]):
            assert server.process.poll() is None, server.log
            await asyncio.sleep(0.02)
        site.server = f"http://127.0.0.1:{told[0]['port']}"
        await asyncio.to_thread(server.wait)  # by way of the proxy, which runs here
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
        assert site.elsewhere == []
        assert [*patient.problems, *provider.problems] == []
