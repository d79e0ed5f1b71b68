"""Tests the dialog that appears before a sign-in ends.

The page finds out by its own clock how much time is left, and corrects it by the time that the server
reports.
"""

from __future__ import annotations

import re

from playwright.async_api import Route, expect

from tests.signalling.waits import until
from tests.web.pages.conftest import OpenPage

STAY = "Stay signed in"


async def test_a_page_asks_before_the_sign_in_ends(open_page: OpenPage) -> None:
    page = await open_page("/demo/staff")
    left_ms, posts = 130_000, 0

    async def answer(route: Route) -> None:
        nonlocal left_ms, posts
        if route.request.method == "POST":
            left_ms, posts = 1_800_000, posts + 1
        await route.fulfill(json={"ends_in_ms": left_ms})

    await page.route("**/staff/session", answer)
    await page.clock.install()
    await page.reload()
    stay = page.get_by_role("button", name=STAY)
    await expect(page.get_by_role("switch", name="On-Call")).to_be_visible()
    assert not await stay.is_visible(), "more than a minute is left"
    left_ms = 55_000
    await page.clock.fast_forward(75_000)
    await expect(page.get_by_role("alertdialog")).to_contain_text(re.compile(r"in 0:\d\d\."))
    await stay.press("Enter")
    await expect(stay).to_be_hidden()
    assert posts == 1
    # The pressed key is an activity, so the sign-in lasts longer.
    await page.clock.fast_forward(31_000)
    await until(lambda: posts == 2)
    left_ms = 50_000
    await page.clock.fast_forward(1_750_000)
    await expect(stay).to_be_visible()
    left_ms = 0  # nobody has answered the dialog, so no time is left
    # Without cookies, the sign-in page stays open. With a valid cookie, it would redirect to On-Demand Requests.
    await page.context.clear_cookies()
    await page.clock.fast_forward(10_000)
    await page.wait_for_url("**/staff/sign-in")
