"""Tests that a person without camera and microphone hears other people, even if the browser allows sound only after a
press.
"""

from __future__ import annotations

import time

from playwright.async_api import ConsoleMessage, expect

from tests.browsers import ARGUMENTS, SHOWN_MS, shared
from tests.conftest import StartServer
from tests.journeys.people import Patient, on_call, person
from tests.signalling.waits import until

NO_DEVICES = (
    "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none', 'NotFoundError') }"
)
POLICY = "--autoplay-policy=document-user-activation-required"
SAYS_REFUSED = """
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function () {
        const playing = play.call(this);
        playing.catch(({ name }) => console.debug(name));
        return playing;
    };
"""
NOT_ALLOWED = "NotAllowedError"
# The page tries to play sound each time that media arrive, so the test waits until this time in s after the last try.
SETTLED_S = 2.0


async def test_a_patient_without_devices_hears_again_after_a_reload_by_one_press(
    chromium: str, greenroom_server: StartServer
) -> None:
    async with shared(chromium, [*ARGUMENTS, POLICY]) as browsers, browsers.lent() as browser:
        server = greenroom_server()
        provider = await on_call(browser, server)
        patient: Patient = await person(browser, server, Patient)
        for script in (NO_DEVICES, SAYS_REFUSED):
            await patient.page.add_init_script(script)
        await patient.meet_now()
        await provider.claim()
        for side in (patient, provider):
            await side.press("Start Session")
        await patient.sees_and_hears()
        button = patient.page.get_by_role("button", name="Press to hear")
        await expect(button).to_have_count(0)
        # For the browser, each evaluation by Playwright counts as a press of the person. So the test evaluates
        # nothing until the page has failed to play sound.
        refused: list[float] = []

        def note(said: ConsoleMessage) -> None:
            if said.text == NOT_ALLOWED:
                refused.append(time.monotonic())

        patient.page.on("console", note)
        await patient.page.reload()
        await until(lambda: refused and time.monotonic() - refused[-1] > SETTLED_S)
        await expect(button).to_be_visible(timeout=SHOWN_MS)
        await button.click()
        await expect(button).to_have_count(0)
        await patient.sees_and_hears()
        paused = await patient.page.locator("video.remote").evaluate("(video) => video.paused")
        assert paused is False
        assert [*patient.problems, *provider.problems] == []
