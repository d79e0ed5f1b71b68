"""Tests the dialog that appears before a sign-in ends.

The page finds out by its own clock how much time is left, and corrects it by the time that the server
reports.
"""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Page, Route, expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage

STAY = "Stay signed in"
COUNT_ANSWERS = """
    window.answers = 0;
    const { json } = Response.prototype;
    Response.prototype.json = async function () {
        const found = await json.call(this);
        answers += 1;
        return found;
    };
"""


async def reloaded(page: Page) -> None:
    """Load the page anew with a clock that the test moves; wait until the page knows when the sign-in ends."""
    await page.add_init_script(COUNT_ANSWERS)
    await page.clock.install()
    await page.reload()
    await expect(page.get_by_role("switch", name="On-Call")).to_be_visible()
    await page.wait_for_function("() => answers > 0")


async def test_a_page_asks_before_the_sign_in_ends(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/staff")
    left_ms, posts = 130_000, 0

    async def answer(route: Route) -> None:
        nonlocal left_ms, posts
        if route.request.method == "POST":
            left_ms, posts = 1_800_000, posts + 1
        await route.fulfill(json={"ends_in_ms": left_ms})

    await page.route("**/staff/session", answer)
    await reloaded(page)
    stay = page.get_by_role("button", name=STAY)
    assert not await stay.is_visible(), "more than a minute is left"
    left_ms = 55_000
    await page.clock.fast_forward(75_000)
    await expect(page.get_by_role("alertdialog")).to_contain_text(re.compile(r"in 0:\d\d\."))
    await stay.press("Enter")
    await expect(stay).to_be_hidden()
    assert posts == 1
    # The pressed key is an activity, so the sign-in lasts longer.
    await page.clock.fast_forward(31_000)
    await clinic.until(lambda: posts == 2)
    left_ms = 50_000
    await page.clock.fast_forward(1_750_000)
    await expect(stay).to_be_visible()
    left_ms = 0  # nobody has answered the dialog, so no time is left
    # Without cookies, the sign-in page stays open. With a valid cookie, it would redirect to On-Demand Requests.
    await page.context.clear_cookies()
    await page.clock.fast_forward(10_000)
    await page.wait_for_url("**/staff/sign-in")


async def test_a_press_on_stay_signed_in_counts_while_the_page_asks_how_long_the_sign_in_lasts(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/staff")
    methods: list[str] = []
    answers = asyncio.Event()
    answers.set()

    async def answer(route: Route) -> None:
        left_ms = 1_800_000 if route.request.method == "POST" else 55_000 if methods else 130_000
        methods.append(route.request.method)
        await answers.wait()
        await route.fulfill(json={"ends_in_ms": left_ms})

    await page.route("**/staff/session", answer)
    await reloaded(page)
    answers.clear()
    await page.clock.fast_forward(75_000)
    await clinic.until(lambda: methods == ["GET", "GET"])
    stay = page.get_by_role("button", name=STAY)
    await stay.press("Enter")
    answers.set()
    await clinic.until(lambda: methods == ["GET", "GET", "POST"])
    await expect(stay).to_be_hidden()
