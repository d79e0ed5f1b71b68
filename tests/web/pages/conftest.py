"""Contains the fixtures of the page tests: a clinic, and people who have its pages open.

A test fails if a page logs an error or a warning, such as one about its Content-Security-Policy.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page

from tests.browsers import SHOWN_MS
from tests.web.pages.clinic import Clinic
from tests.web.pages.reception import running

OpenPage = Callable[..., Awaitable[Page]]
# These messages are expected: a test closes WebSockets on purpose. The page then requests the address of the
# WebSocket by HTTP, to learn the reason, and the browser logs the error status of the answer.
EXPECTED = ("WebSocket connection to",)
SOCKET = "/demo/ws"


@pytest.fixture
async def clinic() -> AsyncIterator[Clinic]:
    """A running test server with one visit. A test sets its state, its refusals and its lost connections."""
    async with running() as clinic:
        yield clinic


@pytest.fixture
async def open_page(clinic: Clinic, browser: Browser) -> AsyncIterator[OpenPage]:
    """A function that opens a path: `open_page("/demo/staff", width=320, dark=True)`.

    Each call opens the path in a new browser context, as a new person would. `how`: options of this context.
    """
    wrong: list[str] = []
    contexts = []

    def record(message: ConsoleMessage) -> None:
        expected = message.text.startswith(EXPECTED) or message.location["url"].endswith(SOCKET)
        if message.type in {"error", "warning"} and not expected:
            wrong.append(message.text)

    async def open_page(
        path: str, *, width: int = 1280, height: int = 860, dark: bool = False, **how: Any
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-US",
            **how,
        )
        contexts.append(context)
        context.set_default_timeout(SHOWN_MS)
        page = await context.new_page()
        page.on("console", record)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(clinic.url + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not wrong
