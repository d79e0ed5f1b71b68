"""Opens pages of a site in Chromium, each in a browser context of its own, and checks their consoles."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page

from tests.browsers import SHOWN_MS
from tests.web.site import ADMIN, Site
from web.organisations import demo

OpenPage = Callable[..., Awaitable[Page]]
"""A function that opens a path: `open_page("/demo", width=320, dark=True)`. Further keywords are options of the browser
context.
"""


async def sign_in(page: Page, site: Site, email: str = ADMIN) -> None:
    """Open the demo's sign-in on this page, and sign in."""
    await page.goto(str(site.server.make_url("/demo/staff/sign-in")))
    await send_sign_in(page, site, email)


async def send_sign_in(page: Page, site: Site, email: str) -> None:
    """Fill in and send the form of the sign-in, which the page shows; wait until the staff's page is open."""
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(demo.password(site.settings, email))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/demo/staff")


@asynccontextmanager
async def pages(
    site: Site, browser: Browser, *, expected: str, kinds: tuple[str, ...] = ("error",), **usual: Any
) -> AsyncIterator[OpenPage]:
    """Yield a function that opens pages. At the end, fail if a page has logged a message of these `kinds` that
    `expected` (a pattern) does not allow. `usual`: options of each browser context.
    """
    contexts = []
    wrong: list[str] = []

    def record(message: ConsoleMessage) -> None:
        if message.type in kinds and not re.search(expected, message.text):
            wrong.append(message.text)

    async def open_page(path: str, *, width: int = 1280, dark: bool = False, **how: Any) -> Page:
        context = await browser.new_context(
            **{
                "viewport": {"width": width, "height": 860},
                "color_scheme": "dark" if dark else "light",
                "reduced_motion": "reduce",
                "locale": "en-US",
                **usual,
                **how,
            }
        )
        contexts.append(context)
        context.set_default_timeout(SHOWN_MS)
        page = await context.new_page()
        page.on("console", record)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(str(site.server.make_url(path)))
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not wrong
