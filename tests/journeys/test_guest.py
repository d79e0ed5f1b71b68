"""Tests a session of three: a provider invites a guest, all see each other, and a dismissed guest receives nothing
more.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.journeys.people import Patient, Person, Staff, in_call, on_call, person
from tests.limits import WAIT_S
from tests.signalling.waits import until

# The time-out is long, because three browsers encode a camera each, on two busy cores.
pytestmark = pytest.mark.timeout(600)

TILES = """async () => {
  const found = {};
  for (const tile of document.querySelectorAll(".tile.other")) {
    const video = tile.querySelector("video");
    const key = tile.dataset.party ?? "other";
    found[key] = { frames: video.getVideoPlaybackQuality().totalVideoFrames, light: 0, width: video.videoWidth };
    if (!video.videoWidth) continue;
    const context = new OffscreenCanvas(16, 12).getContext("2d");
    context.drawImage(video, 0, 0, 16, 12);
    const pixels = context.getImageData(0, 0, 16, 12).data;
    for (let i = 0; i < pixels.length; i += 4) found[key].light += pixels[i + 1] / (pixels.length / 4);
  }
  return found;
}"""
HEARD = """async () => {
  const found = {};
  for (const peer of window.__peers) {
    if (peer.connectionState === "closed") continue;
    for (const stat of (await peer.getStats()).values()) {
      if (stat.type === "inbound-rtp" && stat.kind === "audio") found[stat.mid] = stat.totalAudioEnergy || 0;
    }
  }
  return found;
}"""


async def sees_and_hears_all(who: Person, others: int) -> None:
    """Fail unless this person's page gets bright, moving pictures and audible sound of `others` people from now on."""
    seen: list[tuple[dict[str, Any], dict[str, float]]] = []
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        seen = [*seen[-8:], (await who.page.evaluate(TILES), await who.page.evaluate(HEARD))]
        # The newest counters are compared with those of two seconds ago, so that anything received earlier has no
        # effect.
        (old, quiet), (tiles, heard) = seen[0], seen[-1]
        moving = [
            k for k, t in tiles.items() if t["light"] > 20 and k in old and t["frames"] > old[k]["frames"] + 5
        ]
        sounding = [mid for mid, energy in heard.items() if energy > quiet.get(mid, energy) + 1e-6]
        if len(moving) == others and len(sounding) == others:
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"not {others} are seen and heard: {seen[0]} -> {seen[-1]}")


async def all_see_and_hear(others: int, *people: Person) -> None:
    """Fail unless `others` pictures and sounds arrive at each of these people. All are checked at the same time,
    because a call costs CPU as long as it goes on.
    """
    await asyncio.gather(*(sees_and_hears_all(who, others) for who in people))


async def receives_nothing(who: Person) -> None:
    """Fail if a packet of picture or sound reaches this person's page within a second."""
    before = await who.received()
    await asyncio.sleep(1)
    assert await who.received() == before


SCREENS = """
window.__screens = [];
const choose = navigator.mediaDevices.getDisplayMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getDisplayMedia = async (how) => {
  const stream = await choose(how);
  window.__screens.push(...stream.getVideoTracks());
  return stream;
};
"""
"""A script that keeps the tracks of shared screens, so that the test can end them. A headless browser has no button to
end them.
"""


SPEAKS = """
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (how) => {
  const stream = await open(how);
  for (const track of stream.getAudioTracks()) {
    const context = new AudioContext();
    const [tone, out] = [new OscillatorNode(context), context.createMediaStreamDestination()];
    tone.connect(out);
    tone.start();
    document.addEventListener("click", () => context.resume());
    stream.removeTrack(track);
    stream.addTrack(out.stream.getAudioTracks()[0]);
  }
  return stream;
};
"""
"""A script that replaces the short beeps of the fake microphone by a steady tone."""
LAYERS = """async () => {
  for (const peer of window.__peers) {
    if (peer.connectionState === "closed") continue;
    const senders = peer.getSenders().filter(({ track }) => track?.kind === "video");
    return senders.map((sender) => sender.getParameters().encodings[0].scalabilityMode ?? "none");
  }
}"""


async def sees_screen(who: Person, of: str) -> None:
    """Fail unless the shared screen of `of` appears. It is recognised by its width, which no camera has here."""
    tile = who.page.locator(".tile.other", has_text=f"Screen of {of}")
    await expect(tile).to_be_visible(timeout=SHOWN_MS)
    await expect(tile.locator("video")).to_have_js_property("videoWidth", 1280, timeout=SHOWN_MS)


async def sees_no_screen(who: Person) -> None:
    """Fail unless the page shows no shared screen, and no question to share one."""
    await expect(who.page.locator("[data-screen-notice][data-empty]")).to_have_count(1, timeout=SHOWN_MS)
    await expect(who.page.locator(".tag", has_text="Screen of")).to_have_count(0, timeout=SHOWN_MS)


async def invite(provider: Staff, name: str) -> str:
    """Invite a guest with this name on the session page; return the link."""
    await provider.page.locator("details.more summary").click()
    await provider.press("Invite a guest…")
    dialog = provider.page.locator("dialog[open]")
    await dialog.get_by_label(re.compile("Name")).fill(name)
    await dialog.get_by_role("button").last.click()
    field = provider.page.locator("#guest-link")
    await field.wait_for(timeout=SHOWN_MS)
    link = await field.input_value()
    await provider.page.locator("dialog[open]").get_by_role("button", name="Close").click()
    return link


@pytest.mark.long
async def test_a_guest_joins_by_a_link_takes_part_after_their_own_start_and_can_be_sent_away(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server(workers=2)
    patient, provider = await in_call(browser, server, SCREENS)

    # The provider asks the patient to share a screen, and the patient presses the button. Later the sharing
    # ends as if the patient pressed the browser's own button for this.
    await provider.page.locator("details.more summary").click()
    await provider.press("Ask Ana Ruiz to share the screen")
    await patient.sees("Maya Osei asks to see your screen")
    assert await patient.page.evaluate("window.__screens.length") == 0, "never by itself"
    await patient.press("Choose what to show")
    await sees_screen(provider, "Ana Ruiz")
    await patient.page.evaluate(
        "() => { const [track] = window.__screens; track.stop(); track.dispatchEvent(new Event('ended')); }"
    )
    for one in (provider, patient):
        await sees_no_screen(one)
    await sees_and_hears_all(provider, 1)

    link = await invite(provider, "Rosa Diaz")
    await patient.sees("Rosa Diaz")
    rosa: Person = await person(browser, server, Person)
    await rosa.page.add_init_script(SPEAKS)
    await rosa.page.goto(link)
    await rosa.sees(re.compile("Maya Osei"))
    await rosa.sees(re.compile("Rosa Diaz"))
    await rosa.press("Join the session")
    await rosa.page.wait_for_url("**/demo/guest")
    await rosa.sees("Nobody sees or hears you until you press Start Session.")
    await expect(rosa.page.get_by_text(re.compile("Connection good|Connected")).first).to_be_visible(
        timeout=SHOWN_MS
    )
    # The link works only once: neither another person nor a reload can use it again.
    stranger: Person = await person(browser, server, Person)
    await stranger.page.goto(link)
    await stranger.sees("This link does not open a session")
    # Before the guest presses Start Session, the guest receives no media, and the call of the other two goes on.
    await asyncio.gather(receives_nothing(rosa), sees_and_hears_all(patient, 1))

    await rosa.press("Start Session")
    await all_see_and_hear(2, rosa, patient, provider)
    await expect(patient.page.locator(".tag", has_text="Rosa Diaz · Interpreter")).to_be_visible(
        timeout=SHOWN_MS
    )
    await expect(rosa.page.locator(".tag", has_text="Ana Ruiz")).to_be_visible()
    await expect(rosa.page.locator(".tag", has_text="Maya Osei")).to_be_visible()
    # The tone of Rosa, the guest, is the loudest sound. All pages send temporal layers, so that one weak network does
    # not make the picture worse for everyone.
    for who in (patient, provider):
        speaking = who.page.locator(".tile.other[data-speaking]")
        await expect(speaking).to_have_accessible_name("Rosa Diaz, speaking", timeout=SHOWN_MS)
    for party in (rosa, patient, provider):

        async def layered(page: Page = party.page) -> bool:
            return bool(await page.evaluate(LAYERS) == ["L1T3"])

        await until(layered)
    # A reload does not end the session of the guest.
    await rosa.page.reload()
    await all_see_and_hear(2, rosa, patient)

    # All parties see the provider's shared screen. A reload of the provider's page ends the sharing, and the shared
    # screen disappears from all pages.
    await provider.press("Share screen")
    for party in (patient, rosa):
        await sees_screen(party, "Dr Maya Osei")
    await provider.page.reload()
    for party in (patient, rosa, provider):
        await sees_no_screen(party)
    await all_see_and_hear(2, patient, rosa, provider)

    await provider.page.locator("details.more summary").click()
    await provider.press("Send Rosa Diaz away")
    await provider.page.locator("dialog[open]").get_by_role("button").last.click()
    await rosa.sees("You are no longer in this session")
    await rosa.receives_nothing_more()
    await expect(rosa.page.locator("video")).to_have_count(0)
    await all_see_and_hear(1, patient, provider)
    await rosa.page.reload()
    await rosa.sees("This link does not open a session")
    problems = [*patient.problems, *provider.problems]
    assert problems == []
    assert "Rosa" not in server.log


async def test_a_guest_who_leaves_may_come_back_while_the_session_lasts(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    provider = await on_call(browser, server)
    patient: Patient = await person(browser, server, Patient)
    await patient.meet_now()
    await provider.claim()
    await patient.sees("Start Session")
    rosa: Person = await person(browser, server, Person, viewport={"width": 390, "height": 844})
    await rosa.page.goto(await invite(provider, "Rosa Diaz"))
    await rosa.press("Join the session")
    # The guest may be the first to press. The call begins for all when the other two have pressed too.
    await rosa.press("Start Session")
    await rosa.sees(re.compile("It begins when"))
    await receives_nothing(rosa)
    await patient.press("Start Session")
    await provider.press("Start Session")
    await all_see_and_hear(2, rosa, patient, provider)
    await rosa.press("Leave the call")
    await rosa.sees("You have left the session")
    await expect(rosa.page.locator("video")).to_have_count(0)
    await sees_and_hears_all(patient, 1)
    await rosa.press("Come back")
    await all_see_and_hear(2, rosa, provider)
    await provider.press(re.compile("^End"))
    await provider.page.locator("dialog[open]").get_by_role("button").last.click()
    await rosa.sees("The session is over")
    assert [*rosa.problems, *patient.problems, *provider.problems] == []
