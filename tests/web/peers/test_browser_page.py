"""Tests that the files in CLIENT-BROWSER.md, unchanged, can play a whole visit.

The client in these files also passes the conformance run for clients.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

import signalling
import web
from tests.browsers import SHOWN_MS
from tests.web.conftest import OpenSite
from tests.web.peers.broken import Broken
from tests.web.peers.conformance.test_endpoint import wait_for_clients
from tests.web.site import OSEI, Person
from web.peers.conformance import endpoint as scripted
from web.peers.conformance.endpoint import Endpoint
from web.peers.conformance.judge import RULES

DOCUMENT = Path(signalling.__file__).with_name("protocol").joinpath("CLIENT-BROWSER.md").read_text("utf-8")
FILES = {
    name: text
    for text in re.findall(r"```(?:js|html)\n(.*?)```", DOCUMENT, re.DOTALL)
    for name in re.findall(r"^(?://|<!--) (\S+)", text)
}
STATIC = Path(web.__file__).with_name("static")
CHECK = """async () => {
    const { SignallingClient } = await import('/static/signalling.js');
    const client = window.client = new SignallingClient('/demo/ws', { role: 'patient' });
    window.heard = [];
    client.subscribe('visit/v_1', (message) => heard.push(message.epoch));
    const { MediaSession } = await import('/static/media.js');
    const media = new MediaSession({
        sendAnswer: (sdp, offer) => client.request({ type: 'media.answer', visit: 'v_1', offer, sdp }),
    });
    client.addEventListener('media.offer', ({ detail }) => media.accept({ ...detail, id: detail.offer }));
    client.addEventListener('welcome', () => client.request({ type: 'media.join', visit: 'v_1' }), { once: true });
    client.connect();
}"""


async def opened(browser: Browser, origin: str, person: Person, name: str, wrong: list[str]) -> Page:
    """Open the file `name` of CLIENT-BROWSER.md in a browser context of the person; return the page.

    The texts of errors in the page are added to `wrong`.
    """
    context = await browser.new_context(permissions=["camera", "microphone"])
    context.set_default_timeout(SHOWN_MS)
    await context.add_cookies([{"name": "greenroom", "value": person.cookie, "url": origin}])
    page = await context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    await page.goto(f"{origin}/our/{name}")
    return page


async def sees_a_picture(page: Page) -> None:
    """Wait until the video of the other side plays. Raises TimeoutError if it does not."""
    await page.wait_for_function("() => document.getElementById('other').currentTime > 0.2")


async def test_the_files_on_the_page_about_browsers_play_a_whole_visit(
    open_site: OpenSite, browser: Browser
) -> None:
    site, wrong = await open_site(), list[str]()
    ana, osei = site.person(), site.person()
    await ana.ask_for_a_visit()
    await osei.sign_in(OSEI)
    async with Broken(ana.origin, FILES) as proxy:
        try:
            await _a_visit(browser, proxy.origin_here, ana, osei, wrong)
        finally:
            for context in browser.contexts:
                await context.close()
    assert wrong == []


async def _a_visit(browser: Browser, origin: str, ana: Person, osei: Person, wrong: list[str]) -> None:
    patient = await opened(browser, origin, ana, "patient.html", wrong)
    await expect(patient.get_by_role("status")).to_have_text("You are number 1 of 1.")
    provider = await opened(browser, origin, osei, "provider.html", wrong)
    await provider.get_by_role("button", name="Claim Ana Ruiz").click()
    await expect(patient.get_by_role("status")).to_have_text("Dr Maya Osei is here.")
    for page in (patient, provider):
        await page.get_by_role("button", name="Start Session").click()
    await expect(patient.get_by_role("status")).to_have_text("You are connected.")
    for page in (patient, provider):
        await sees_a_picture(page)
    await provider.get_by_role("button", name="End").click()
    await expect(patient.get_by_role("status")).to_have_text("The visit has ended.")


async def test_the_browser_client_passes_the_client_check(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "AWAY_S", 1.2)
    wait_for_clients(monkeypatch)

    async def static(route: Route) -> None:
        name = route.request.url.partition("/static/")[2]
        await route.fulfill(path=STATIC / name, content_type="text/javascript")

    async with Endpoint() as endpoint:
        page = await browser.new_page()
        await page.route("**/static/**", static)
        await page.goto(f"http://127.0.0.1:{endpoint.port}/")
        await page.evaluate(CHECK)
        outcomes = dict(zip(RULES, await endpoint.run(), strict=True))
        heard = await page.evaluate("heard")
    faults = {key: (o.fault.expected, o.fault.got) for key, o in outcomes.items() if o.fault is not None}
    assert faults == {}
    assert {key for key, o in outcomes.items() if o.undecided} == {"repeats", "red", "nack", "framing"}
    assert set(heard) == {"e_1", "e_2", "e_3"}
