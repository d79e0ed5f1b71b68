"""Tests the page of the reports in a real browser."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.web.browsing import OpenPage, pages, send_sign_in
from tests.web.reports.test_reports import REPORTS
from tests.web.site import ADMIN, Site


@pytest.fixture
async def open_page(site: Site, browser: Browser) -> AsyncIterator[OpenPage]:
    """A function that opens a page; the person is not signed in. No page may log an error."""
    async with pages(site, browser, expected="status of 401") as open_page:
        yield open_page


@pytest.mark.parametrize(("kind", "name"), [("button", "Show"), ("link", "90 days")])
async def test_a_report_that_takes_long_says_that_visits_are_counted(
    site: Site, open_page: OpenPage, kind: str, name: str
) -> None:
    page = await open_page("/demo/staff/sign-in")
    await send_sign_in(page, site, ADMIN)
    await page.goto(str(site.server.make_url(REPORTS)))
    # With the status 204 the browser stays on the present page, as it does while it waits for a slow answer.
    await page.route("**/reports?*", lambda route: route.fulfill(status=204))
    pressed = page.locator(".range").get_by_role(kind, name=name)  # type: ignore[arg-type]
    await pressed.click(no_wait_after=True)
    await expect(page.locator(".range").get_by_text("Counting the visits…")).to_be_visible()
