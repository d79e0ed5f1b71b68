"""Tests pages in a real browser: the kiosk, the patient's link, the set-up of facilities and API keys, the page about
the API.

The accessibility of these pages is checked with axe.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from playwright.async_api import Browser, Page, expect

from tests.limits import WAIT_S
from tests.web.api.client import PATIENT, program
from tests.web.browsing import pages, sign_in
from tests.web.pages.facility.test_kiosk import link
from tests.web.pages.test_accessibility import LOOKS, is_accessible
from tests.web.site import OSEI, Site
from web.keys import FACILITIES
from web.pages.facility import kiosk

NOTE_TONES = """() => {
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...args) {
        document.documentElement.dataset.chimed = "";
        start.apply(this, args);
    };
}"""


@asynccontextmanager
async def opened(
    site: Site, browser: Browser, path: str, *, width: int = 1280, dark: bool = False
) -> AsyncIterator[Page]:
    """Yield a page of the site in a browser context of its own. At the end, fail if the page has logged an error or
    broken its own Content-Security-Policy.
    """
    expected = "^(Failed to load resource|WebSocket connection to)"
    async with pages(site, browser, expected=expected, kinds=("error", "warning")) as open_page:
        yield await open_page(path, width=width, dark=dark)


async def fill_in(page: Page, name: str) -> None:
    """Fill in the kiosk's form and send it; wait for the empty form of the next patient."""
    for label, text in (
        ("Full name", name),
        ("Date of birth", PATIENT["birth_date"]),
        ("Phone", PATIENT["phone"]),
        ("Email", PATIENT["email"]),
        ("Reason for the visit", PATIENT["reason"]),
    ):
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_label("Where is the patient now?").select_option("TX")
    await page.get_by_label("Preferred language").select_option("es")
    await page.get_by_role("button", name="Place in line").click()
    await expect(page.get_by_label("Full name", exact=True)).to_have_value("")


async def provider(site: Site) -> ClientWebSocketResponse:
    """Return the socket of Dr Osei, a provider who is on call."""
    osei = site.person()
    assert (await osei.sign_in(OSEI)).status == 303
    ws = await osei.socket("staff")
    await say(ws, type="on_call", id=2, on=True)
    return ws


async def say(ws: ClientWebSocketResponse, **message: Any) -> None:
    """Send a request, and wait until it is answered with `done`."""
    await ws.send_json(message)
    while (answer := await ws.receive_json(timeout=WAIT_S)).get("reply_to") != message["id"]:
        pass
    assert answer["type"] == "done", answer


async def test_a_ward_places_two_patients_sees_the_call_without_a_reload_and_takes_it_on_its_device(
    site: Site, browser: Browser
) -> None:
    ws, office = await provider(site), await program(site)
    async with opened(site, browser, await link(site)) as page:
        await expect(page.get_by_text("Nobody yet.")).to_be_visible()
        for name in ("Ana Ruiz", "Ben Ode"):
            await fill_in(page, name)
            await expect(page.get_by_text("Done: the patient stands in line.")).to_be_visible()
        rows = page.locator("#rows li")
        await expect(rows.nth(0)).to_contain_text("A. R.")
        await expect(rows.nth(1)).to_contain_text("Place 2")
        visit = (await office.call("GET", "/queue"))[1]["patients"][0]["visit"]
        await page.evaluate(NOTE_TONES)
        # Browsers allow a page to play sound only after a press on it.
        await page.get_by_role("heading", level=1).click()
        await say(ws, type="visit.claim", id=7, visit=visit)
        await expect(page.locator("html[data-chimed]")).to_be_attached()
        await expect(rows.nth(0)).to_contain_text("Dr Maya Osei is calling")
        await expect(page.locator("#said")).to_contain_text("Dr Maya Osei is calling")
        await expect(rows.nth(1)).to_contain_text("Place 1")
        for answer, left in (("Keep the place", False), ("Take out of the line", True)):
            await page.get_by_role("button", name="Take out of the line B. O.").click()
            await page.get_by_role("dialog").get_by_role("button", name=answer).click()
            await expect(page.get_by_role("dialog")).to_have_count(0)
            if left:
                await expect(page.get_by_text("Place 1")).to_have_count(0)
            await expect(rows).to_have_count(2)
        await page.get_by_role("button", name="Take the call on this device A. R.").click()
        await page.wait_for_url("**/demo/visit*")
        await expect(page.get_by_role("button", name="Start Session")).to_be_visible()


HOUR_MS = 3_600_000


@pytest.fixture
def an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a kiosk warn after an hour, and clear its form an hour later. A test moves the clock of the page."""
    monkeypatch.setattr(kiosk, "IDLE_S", HOUR_MS // 1000)
    monkeypatch.setattr(kiosk, "WARNED_S", HOUR_MS // 1000)


@pytest.mark.usefixtures("an_hour")
async def test_a_kiosk_that_nobody_touches_warns_and_is_cleared(site: Site, browser: Browser) -> None:
    async with opened(site, browser, await link(site)) as page:
        await fill_in(page, "Ana Ruiz")
        await page.get_by_text("Done: the patient").wait_for()
        await page.clock.install()
        await page.reload()
        await page.get_by_label("Full name").fill("Ben Ode")
        await page.clock.fast_forward(HOUR_MS)
        await expect(page.get_by_text("will be cleared in a moment")).to_be_visible()
        await page.clock.fast_forward(HOUR_MS)
        await page.wait_for_url("**?cleared")
        await expect(page.get_by_text("This screen was cleared")).to_be_visible()
        await expect(page.get_by_label("Full name")).to_have_value("")
        await expect(page.locator("#rows b")).to_be_hidden()
        await page.get_by_text("Show the list").click()
        await expect(page.locator("#rows b")).to_be_visible()
        assert "Ana Ruiz" not in await page.content()


@pytest.mark.usefixtures("an_hour")
async def test_a_touch_keeps_the_screen(site: Site, browser: Browser) -> None:
    async with opened(site, browser, await link(site)) as page:
        await page.clock.install()
        await page.reload()
        await page.get_by_label("Full name").fill("Ben Ode")
        await page.clock.fast_forward(HOUR_MS)
        warning = page.get_by_text("will be cleared in a moment")
        await expect(warning).to_be_visible()
        await page.keyboard.press("Shift")
        await expect(warning).to_be_hidden()
        await expect(page.get_by_label("Full name")).to_have_value("Ben Ode")


async def test_a_revoked_link_says_so_on_an_open_kiosk(site: Site, browser: Browser) -> None:
    path = await link(site)
    async with opened(site, browser, path) as page:
        await site.app[FACILITIES].revoke("demo", path.rpartition("/")[2].partition("-")[0])
        await expect(page.get_by_text("This facility link opens nothing")).to_be_visible()


async def test_a_patient_opens_the_link_of_a_program_and_stands_in_the_setup_guide(
    site: Site, browser: Browser
) -> None:
    url = (await (await program(site)).open())["link"]["url"]
    async with opened(site, browser, "/" + url.split("/", 3)[3]) as page:
        await page.get_by_role("button", name="Open my visit").click()
        await page.wait_for_url("**/demo/visit*")
        await expect(page.get_by_role("heading", name="When did it begin?")).to_be_visible()


async def test_an_administrator_makes_a_facility_and_a_key_by_keyboard(site: Site, browser: Browser) -> None:
    async with opened(site, browser, "/demo/staff/sign-in") as page:
        await sign_in(page, site)
        await page.goto(str(site.server.make_url("/demo/staff/setup/facilities")))
        await page.get_by_label("Name of the facility").fill("Ward 3")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Ward 3")).to_be_visible()
        code = page.get_by_role("img", name="QR code of the link of Ward 3")
        await expect(code).to_have_js_property("complete", True)
        assert await code.evaluate("(image) => image.naturalWidth") > 0
        await page.goto(str(site.server.make_url("/demo/staff/setup/api")))
        await page.get_by_label("Name of the program").fill("Front office")
        await page.keyboard.press("Enter")
        await expect(page.locator(".secret")).to_contain_text("gr_")


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_pages_of_programs_and_facilities_are_accessible(
    site: Site, browser: Browser, width: int, dark: bool
) -> None:
    path, office, ws = await link(site), await program(site), await provider(site)
    url = (await office.open())["link"]["url"]
    async with opened(site, browser, path, width=width, dark=dark) as page:
        await is_accessible(page)
        for name in ("Ana Ruiz", "Ben Ode"):
            await fill_in(page, name)
            await page.get_by_text("Done: the patient").wait_for()
        visit = (await office.call("GET", "/queue"))[1]["patients"][1]["visit"]
        await say(ws, type="visit.claim", id=7, visit=visit)
        await page.get_by_text("is calling").first.wait_for()
        await is_accessible(page)
        await page.get_by_role("button", name="Place in line").click()
        await page.locator("#errors").wait_for()
        await is_accessible(page)
        for other in (f"{path}?cleared", "/" + url.split("/", 3)[3], "/demo/enter/" + "x" * 32, "/demo/api"):
            await page.goto(str(site.server.make_url(other)))
            await is_accessible(page)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_desks_are_accessible(site: Site, browser: Browser, width: int, dark: bool) -> None:
    await link(site)
    await program(site)
    office = await program(site, label="A program with quite a long name, as some have it")
    await office.call("POST", "/webhooks", {"url": "https://example.org/" + "a" * 80})
    async with opened(site, browser, "/demo/staff/sign-in", width=width, dark=dark) as page:
        await sign_in(page, site)
        for part in ("facilities", "api", "links", "links/poster"):
            await page.goto(str(site.server.make_url(f"/demo/staff/setup/{part}")))
            for summary in await page.locator("main .section summary").all():
                await summary.click()
            await is_accessible(page)
        await page.goto(str(site.server.make_url("/demo/staff/setup/api")))
        await page.get_by_role("button", name="Make the webhook").click()
        await page.locator("#errors").wait_for()
        await is_accessible(page)
