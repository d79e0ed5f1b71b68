"""Chromium for tests: where it is, and how it is started without a screen, a sandbox or the world."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # Each page would bring a renderer for suggestions under an address bar that nobody sees: two thirds of its cost.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
]
"""Command-line switches for Playwright's `launch(executable_path=..., args=ARGUMENTS)`."""


def find_chromium() -> str | None:
    """The path of a Chromium: the one that GREENROOM_CHROMIUM names, else one on PATH."""
    named = os.environ.get("GREENROOM_CHROMIUM")
    return next(filter(None, map(shutil.which, (named, *NAMES) if named else NAMES)), None)
