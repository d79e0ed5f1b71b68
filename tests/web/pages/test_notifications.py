"""Tests desktop notifications: allowed only after a press, shown only in a hidden tab, and without a patient's name."""

import time
from typing import Any

from playwright.async_api import Page, expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.reception import PAGES

DESKTOP = """(() => {
    window.raised = [];
    window.asked = 0;
    window.Notification = class {
        static permission = "default";
        static async requestPermission() { window.asked += 1; return (this.permission = "granted"); }
        constructor(title, options) { this.title = title; this.body = options.body; window.raised.push(this); }
        close() {}
    };
    Object.defineProperty(document, "hidden", { get: () => window.away ?? false });
    window.focus = () => { window.away = false; };
})()"""


async def provider(clinic: Clinic, open_page: OpenPage, **boot: Any) -> Page:
    """Return a provider's page with the list of requests, in a browser that records notifications.

    `boot`: new values for the data that the page gives to its scripts.
    """
    page = await open_page("/demo/nowhere")
    await page.context.add_init_script(DESKTOP)
    if boot:
        whole = {**PAGES["/demo/staff"][2]["boot"], **boot}
        clinic.contexts["/demo/staff"] = {"boot": whole}
    await page.goto(clinic.url + "/demo/staff")
    await page.get_by_text("You are off call").wait_for()
    return page


async def assign(clinic: Clinic) -> None:
    item = {
        "id": "n_1",
        "kind": "assigned",
        "visit": "v_1",
        "name": "Ana Ruiz",
        "by": "Robin Hale",
        "at_ms": int(time.time() * 1000),
        "note": None,
    }
    await clinic.push("bell", {"type": "bell.item", "unread": 1, "item": item})


async def test_an_assignment_shows_a_desktop_notification_and_a_click_opens_the_patient(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await provider(clinic, open_page)
    assert await page.evaluate("window.asked") == 0, "never asked for on load"
    await page.get_by_role("switch", name="On-Call").click()
    await expect(page.get_by_role("switch", name="On-Call")).to_be_checked()
    assert await page.evaluate("window.asked") == 1
    await assign(clinic)
    await expect(page.get_by_text("Robin Hale assigned Ana Ruiz to you.")).to_be_visible()
    assert await page.evaluate("window.raised.length") == 0, "who looks at the page sees it there"
    await page.get_by_role("link", name="Past").click()
    await page.evaluate("window.away = true")
    await assign(clinic)
    await page.wait_for_function("() => window.raised.length === 1")
    told = await page.evaluate("window.raised[0].title + window.raised[0].body")
    assert told == "A patient is assigned to youClaim them from your Sessions List at Riverside Clinic."
    await page.evaluate("window.raised[0].onclick()")
    assert await page.evaluate("window.away") is False, "the tab is brought to the front"
    await expect(page.locator("[data-visit=v_1] button").first).to_be_focused()


async def test_staff_who_want_no_notifications_are_neither_asked_nor_shown_any(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await provider(clinic, open_page, notify=False)
    await page.get_by_role("switch", name="On-Call").click()
    await expect(page.get_by_role("switch", name="On-Call")).to_be_checked()
    await page.evaluate("window.away = true; Notification.permission = 'granted'")
    await assign(clinic)
    await expect(page.get_by_role("button", name="Notifications 1 unread")).to_be_visible()
    assert await page.evaluate("[window.asked, window.raised.length]") == [0, 0]
