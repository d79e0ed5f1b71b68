"""Uses pages by keyboard only, with Tab, Enter, Space, Escape and letters, and checks at each stop that the focus is
visible.

A stop is an element that gets the focus. Its focus is visible if it has a ring around it and is not completely behind
something else (WCAG 2.2, 2.4.7 and 2.4.11).
"""

from __future__ import annotations

import time
from typing import Any

from playwright.async_api import ElementHandle, Locator, Page, expect

MOST_STOPS = 150
SCROLLED_S = 10.0  # after Tab, the page may still scroll to the focused element for this time in s

# This function runs in a page. It returns the name of the focused element, what is wrong with the visibility of its
# focus ("" if nothing is), whether it is `target`, and whether `target` has left the page.
LOOK = """(target) => {
  const at = document.activeElement;
  const there = at === target, gone = target !== null && !target.isConnected;
  if (!at || at === document.body || at === document.documentElement) return { name: "", wrong: "", there, gone };
  const ringed = (element) => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  const around = at.closest(".option, .choice, .pick") ?? at;
  const box = at.getBoundingClientRect();
  const points = [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]];
  const seen = points.some(([x, y]) => {
    const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
    return top && (top === at || at.contains(top) || around.contains(top) || top.contains(at));
  });
  const name = (at.getAttribute("aria-label") || at.innerText || at.id || at.tagName).trim().slice(0, 60);
  const wrong = [!ringed(at) && !ringed(around) && "no ring", !seen && "out of sight"].filter(Boolean).join(", ");
  return { name: `${at.tagName.toLowerCase()} ${name}`, wrong, there, gone };
}"""


class Keyboard:
    """One page that is used by keyboard. `unseen`: a text for each stop at which the focus was not visible."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unseen: list[str] = []

    async def look(self) -> str:
        """Return the name of the focused element; add it to `unseen` if its focus is not visible."""
        return str((await self._looked(None))["name"])

    async def _looked(self, target: ElementHandle | None) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate(LOOK, target)
        end_s = time.monotonic() + SCROLLED_S
        while found["wrong"] and time.monotonic() < end_s:
            await self.page.wait_for_timeout(50)
            found = await self.page.evaluate(LOOK, target)
        if found["wrong"]:
            self.unseen.append(f"{self.page.url}: {found['name']}: {found['wrong']}")
        return found

    async def to(self, target: Locator) -> None:
        """Press Tab until the target has the focus. Raises AssertionError, with the list of stops, if it never has."""
        await expect(target).to_be_visible()
        if await target.evaluate("(element) => element === document.activeElement"):
            return
        way: list[str] = []
        element = await target.element_handle()
        for _ in range(MOST_STOPS):
            await self.page.keyboard.press("Tab")
            found = await self._looked(element)
            way.append(found["name"])
            if found["there"]:
                return
            # If the page has drawn the target again, `element` is no longer in the page, so search the target again.
            # A search at each stop would double the time of the test.
            if found["gone"]:
                element = await target.element_handle()
                if (await self._looked(element))["there"]:
                    return
        raise AssertionError(f"no way to {target} by Tab: {way}")

    async def press(self, target: Locator, key: str = "Enter") -> None:
        """Move the focus to the target and press the key."""
        await self.to(target)
        await self.page.keyboard.press(key)

    async def write(self, target: Locator, text: str) -> None:
        """Move the focus to a field and replace its text."""
        await self.to(target)
        await self.page.keyboard.type(text)

    async def stays_inside(self, dialog: Locator, stops: int = 8) -> None:
        """Press Tab `stops` times; check that the focus is in the dialog at the beginning and stays in it."""
        await expect(dialog).to_be_visible()
        for _ in range(stops):
            behind = await dialog.evaluate(
                "(d) => !d.contains(document.activeElement) && document.activeElement !== document.body"
            )
            assert not behind, await self.look()
            await self.page.keyboard.press("Tab")
            await self.look()

    async def walk(self) -> list[str]:
        """Press Tab through the whole page once; return the names of the stops."""
        stops: list[str] = []
        for _ in range(MOST_STOPS):
            await self.page.keyboard.press("Tab")
            stop = await self.look()
            if not stop:
                return stops
            stops.append(stop)
        return stops
