"""Waits until the parts of a page no longer move, and stops the clock of a page.

A press can miss a button that moves at this moment. So a test that presses a button near such parts waits for them
first.
"""

from playwright.async_api import Page, expect

HOUR_S = 3_600


async def lobby(page: Page) -> None:
    """Wait until the page before the call is complete: this person's picture, and the lists of their devices."""
    await expect(page.locator(".tile.self[data-picture]")).to_be_visible()
    await expect(page.locator(".device").nth(1)).to_be_visible()


async def device_check(page: Page) -> None:
    """Wait until the setup guide has tested all devices but the speaker, which it tests only after a press."""
    await expect(page.locator("device-check .chip.off")).to_have_count(1)


async def stop_clock(page: Page) -> None:
    """Stop the clock of the pages in this tab, at one hour after the beginning of 1970.

    Timers that begin from now on end only by `page.clock.run_for` or `page.clock.resume`.
    """
    await page.clock.install(time=0)
    await page.clock.pause_at(HOUR_S)
