"""A person's own devices on the pages: how their picture is shown, what is said of them, what sounds where."""

import pytest
from playwright.async_api import Page, expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage

REAR_CAMERA = """
    const { getSettings } = MediaStreamTrack.prototype;
    MediaStreamTrack.prototype.getSettings = function () {
        return { ...getSettings.call(this), facingMode: "environment" };
    };
"""
NO_SOUND = "AudioContext.prototype.resume = () => new Promise(() => {})"
CHECK = "/demo/visit#devices"


async def opened(clinic: Clinic, open_page: OpenPage, path: str, script: str = "") -> Page:
    """A page on which a script has run before its own."""
    page = await open_page("/demo")
    if script:
        await page.add_init_script(script)
    await page.goto(clinic.url + path)
    return page


@pytest.mark.parametrize("in_session", [True, False])
@pytest.mark.parametrize(("script", "shown"), [("", "matrix(-1, 0, 0, 1, 0, 0)"), (REAR_CAMERA, "none")])
async def test_only_a_camera_that_looks_at_the_person_is_shown_as_in_a_mirror(
    clinic: Clinic, open_page: OpenPage, script: str, shown: str, *, in_session: bool
) -> None:
    if in_session:
        await clinic.claimed_by()
    page = await opened(clinic, open_page, "/demo/visit" if in_session else CHECK, script)
    own = page.get_by_label("Your own picture")
    await expect(own).to_be_visible()
    await expect(own).to_have_css("transform", shown)


async def test_a_speaker_test_that_never_sounds_ends_in_words_and_may_be_pressed_again(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, CHECK, NO_SOUND)
    button = page.get_by_role("button", name="Play a sound")
    await button.click()
    await expect(page.get_by_text("Playing…")).to_be_visible()
    await expect(page.get_by_text("No sound started. Connect a speaker or headphones")).to_be_visible()
    await expect(button).to_have_attribute("aria-disabled", "false")
    await clinic.claimed_by()
    await page.get_by_role("button", name="Test speaker").click()
    await expect(page.locator(".toasts")).to_contain_text("No sound started.")


async def test_a_speaker_test_that_sounds_asks_whether_it_was_heard(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, CHECK)
    await page.get_by_role("button", name="Play a sound").click()
    await page.get_by_role("button", name="Yes").click()
    await clinic.until(lambda: clinic.case["answers"].get("devices", {}).get("speaker") == "on")
