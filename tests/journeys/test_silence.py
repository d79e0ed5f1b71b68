"""Tests a connected call in which media of one person stops: the other person's page names the person whose
media is missing, and does not call the connection good.
"""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from tests.conftest import StartServer
from tests.journeys.people import Patient, Staff, person, see_and_hear

CUT = """async (kinds) => {
  window.__kept ??= [];
  for (const sender of window.__peers.at(-1).getSenders())
    if (sender.track && kinds.includes(sender.track.kind)) {
      window.__kept.push([sender, sender.track]);
      await sender.replaceTrack(null);
    }
}"""
"""A script that stops a page's sending of media of these kinds. It informs nobody, as if the network lost the
media."""
MEND = (
    "async () => { for (const [sender, track] of window.__kept.splice(0)) await sender.replaceTrack(track); }"
)


async def test_f04_the_page_names_who_is_silent_or_stands_still_and_does_not_call_it_good(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    provider: Staff = await person(browser, server, Staff)
    await provider.sign_in("osei")
    await provider.go_on_call()
    patient: Patient = await person(browser, server, Patient)
    await patient.meet_now()
    await provider.claim()
    for side in (provider, patient):
        await side.press("Start Session")
    await see_and_hear(patient, provider)
    word = provider.page.locator("header [role=status]")
    tile = provider.page.get_by_role("region", name="Ana Ruiz")
    await expect(word).to_have_text(re.compile("Connection (good|fair|poor)"))

    await patient.page.evaluate(CUT, ["video"])
    await expect(word).to_have_text("Ana Ruiz’s picture has stopped")
    await expect(tile.get_by_text("Ana Ruiz’s picture has stopped.")).to_be_in_viewport()
    await expect(tile.locator("video")).to_have_css("opacity", "0.25")

    await patient.page.evaluate(CUT, ["audio"])
    await expect(word).to_have_text("Nothing arrives from Ana Ruiz")
    await expect(tile.get_by_text("The call goes on by itself")).to_be_in_viewport()

    await patient.page.evaluate(MEND)
    await expect(word).to_have_text(re.compile("Connection (good|fair|poor)"))
    await expect(tile.locator(".veil")).to_have_count(0)
    await provider.sees_and_hears()

    await patient.press("Camera off")
    await expect(tile).to_contain_text("Camera is off")
    await provider.page.wait_for_timeout(3_000)
    await expect(tile.locator(".veil")).to_have_count(0)
    assert [*patient.problems, *provider.problems] == []
