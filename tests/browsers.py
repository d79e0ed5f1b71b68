"""Starts Chromium for tests: finds it, starts it without a window or sandbox, and shares one among many tests.

A start takes more than a second of CPU. Each person in a test has a browser context of their own.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Playwright, async_playwright

SHOWN_MS = 30_000
"""The time in ms that tests wait until a page shows something, because the machine may be busy.

The benchmarks measure how fast pages are.
"""
SHOWN_S = SHOWN_MS / 1000
"""The same time in s, for what a test waits for outside the page: a message of the page, or an answer to it."""
START_MS = 120_000
"""The longest time in ms that a browser may take to start, on a busy machine."""

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The possible names of the program, the best one first: it needs half as much work for a new page, because it draws no
windows.
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
    # Every frame of a fake camera is encoded, which costs CPU. 10 frames a second are enough for all tests, and
    # small frames are enough for most (`small_frames_s`).
    "--use-fake-device-for-media-stream=fps=10",
    "--use-fake-ui-for-media-stream",
    # Without this switch, each page starts a second process for the suggestions of the address bar, which more than
    # doubles the cost of a page.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
]
"""Command-line switches for Playwright's `launch(executable_path=..., args=ARGUMENTS)`."""

WIDTH, HEIGHT, STEP = 160, 120, 6


def small_camera(folder: Path, frames_s: int) -> str:
    """Write a film into the folder, and return the switch with which the fake camera plays it over and over.

    A light bar moves over a grey picture. The browser's own fake camera has 16 times as many pixels; with it,
    pages with a call need a tenth more CPU. `frames_s`: the number of frames a second.
    """
    film = folder / "camera.y4m"
    colours = bytes([128]) * (WIDTH * HEIGHT // 2)
    with film.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{frames_s}:1 Ip A1:1 C420\n".encode())
        for start in range(0, WIDTH, STEP):
            row = bytes(220 if start <= x < start + WIDTH // 4 else 90 for x in range(WIDTH))
            out.write(b"FRAME\n" + row * HEIGHT + colours)
    return f"--use-file-for-fake-video-capture={film}"


def find_chromium() -> str | None:
    """Return the path of a Chromium; None if there is none.

    The path is the value of GREENROOM_CHROMIUM if that is set, otherwise the first Chromium on PATH.
    """
    named = os.environ.get("GREENROOM_CHROMIUM")
    return next(filter(None, map(shutil.which, (named, *NAMES) if named else NAMES)), None)


class Shared:
    """One Chromium that all tests of a process share. It is started at its first use, and again if it has died."""

    def __init__(self, playwright: Playwright, path: str, arguments: Sequence[str]) -> None:
        self._playwright, self._path, self._arguments = playwright, path, list(arguments)
        self._browser: Browser | None = None

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Browser]:
        """Yield the browser to one test, without an open context.

        Contexts that the test leaves open are closed afterwards.
        """
        if self._browser is None or not self._browser.is_connected():
            self._browser = await self._playwright.chromium.launch(
                executable_path=self._path, args=self._arguments, timeout=START_MS
            )
        yield self._browser
        for context in list(self._browser.contexts):
            await context.close()

    async def close(self) -> None:
        """Close the shared browser, if it runs."""
        if self._browser is not None:
            await self._browser.close()


@asynccontextmanager
async def shared(
    path: str, arguments: Sequence[str] = ARGUMENTS, *, small_frames_s: int = 10
) -> AsyncIterator[Shared]:
    """Yield a Chromium that can be lent to one test after another.

    `path`: the path of the program. `arguments`: command-line switches. `small_frames_s`: the number of small pictures
    that its fake camera takes a second; 0 for the fake camera that `arguments` configure, with pictures of
    usual size.
    """
    with tempfile.TemporaryDirectory() as folder:
        camera = [small_camera(Path(folder), small_frames_s)] if small_frames_s else []
        async with async_playwright() as playwright:
            browser = Shared(playwright, path, [*arguments, *camera])
            yield browser
            await browser.close()
