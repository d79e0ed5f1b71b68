"""Starts Chromium for tests: finds it, starts it without a screen or sandbox, and shares one among many tests.

A start takes more than a second of a core; each person in a test has a browser context of their own.
"""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Playwright, async_playwright

SHOWN_MS = 30_000
"""The time in ms that a loaded machine of two cores may take to show something; real figures are measured elsewhere."""

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The names of the program. The first is Chromium without the windows around its pages: a new page takes half as much
work.
"""

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # the cores that all tests share encode every frame of a camera
    "--use-fake-device-for-media-stream=fps=10",
    "--use-fake-ui-for-media-stream",
    # Without this, each page starts a renderer for suggestions of the address bar: two thirds of the page's
    # cost.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
]
"""Command-line switches for Playwright's `launch(executable_path=..., args=ARGUMENTS)`."""


def find_chromium() -> str | None:
    """Return the path of a Chromium: the one that GREENROOM_CHROMIUM names, else one on PATH; None without one."""
    named = os.environ.get("GREENROOM_CHROMIUM")
    return next(filter(None, map(shutil.which, (named, *NAMES) if named else NAMES)), None)


class Shared:
    """One Chromium for the tests of a process. It is started when it is first needed, and again if it has died."""

    def __init__(self, playwright: Playwright, path: str, arguments: Sequence[str]) -> None:
        self._playwright, self._path, self._arguments = playwright, path, list(arguments)
        self._browser: Browser | None = None

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Browser]:
        """Yield the browser for one test, without any context; contexts that are left are closed afterwards."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = await self._playwright.chromium.launch(
                executable_path=self._path, args=self._arguments
            )
        yield self._browser
        for context in list(self._browser.contexts):
            await context.close()

    async def close(self) -> None:
        """Close the browser."""
        if self._browser is not None:
            await self._browser.close()


@asynccontextmanager
async def shared(path: str, arguments: Sequence[str] = ARGUMENTS) -> AsyncIterator[Shared]:
    """Yield a Chromium to be lent to one test after the other."""
    async with async_playwright() as playwright:
        browser = Shared(playwright, path, arguments)
        yield browser
        await browser.close()
