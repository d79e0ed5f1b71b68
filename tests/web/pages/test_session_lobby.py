"""Tests the layout of the video session page: both sides have the same parts at the same places before Start Session,
and a phone on its side shows the buttons of the call.
"""

import pytest
from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.session_pages import in_the_call, patients_page, providers_page

PARTS = """() => [".bar .mark", ".bar h1", ".bar .marks > *", ".tile.other", ".tile.self", ".promise", ".way",
    ".device", ".devices", ".languages", ".controls .btn", ".beside"].map((part) => [part,
    [...document.querySelectorAll(`.session ${part}`)].map((element) => {
        const { left, top, width, height } = element.getBoundingClientRect();
        return [left, top, width, height].map(Math.round);
    })])"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
async def test_f00_before_start_session_both_sides_have_the_same_parts_in_the_same_places(
    clinic: Clinic, open_page: OpenPage, width: int, height: int
) -> None:
    provider = await providers_page(clinic, open_page, width=width, height=height)
    patient = await patients_page(clinic, open_page, width=width, height=height)
    for page in (provider, patient):
        await expect(page.get_by_text("not sent yet")).to_be_visible()
        await page.wait_for_function("() => document.querySelectorAll('.device').length > 1")
    ours, theirs = await provider.evaluate(PARTS), await patient.evaluate(PARTS)
    assert ours == theirs
    counts = {part: len(boxes) for part, boxes in ours}
    assert counts[".controls .btn"] == 1
    assert counts[".beside"] == 0, "Case Information opens with the call"
    assert all(counts[part] for part in counts if part != ".beside")
    await in_the_call(clinic)
    beside = provider.get_by_role("complementary", name="Case Information")
    if width > 1100:
        await expect(beside).to_contain_text("Rash, three days")
    else:
        await expect(provider.get_by_role("button", name="Case Information")).to_be_visible()


async def test_a_long_word_in_a_name_is_not_cut_before_start_session(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.visit["parties"]["patient"]["name"] = "Ana " + "Andrianampoinimerina" * 3
    for width in (1280, 390):
        page = await providers_page(clinic, open_page, width=width)
        tile = page.locator(".tile.other")
        inner, shown = await tile.evaluate("(tile) => [tile.scrollWidth, tile.clientWidth]")
        assert inner <= shown, f"the tile is cut at {width} px"


@pytest.mark.parametrize("width", [844, 667])
async def test_on_a_phone_on_its_side_the_buttons_of_the_call_are_visible_without_scrolling(
    clinic: Clinic, open_page: OpenPage, width: int
) -> None:
    patient = await patients_page(clinic, open_page, width=width, height=330)
    await in_the_call(clinic)
    for name in ("Mute", "Camera off", "Leave the call"):
        await expect(patient.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    picture = await patient.locator(".tile.other").bounding_box()
    assert picture is not None
    assert picture["height"] > 140, "the other person is visible too"


@pytest.mark.parametrize("width", [320, 390, 640, 740])
async def test_on_a_small_window_the_state_of_the_call_does_not_lie_under_the_own_picture(
    clinic: Clinic, open_page: OpenPage, width: int
) -> None:
    page = await patients_page(clinic, open_page, width=width, height=640)
    await in_the_call(clinic)
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    own = await page.locator(".tile.self").bounding_box()
    assert own is not None
    for chip in await page.locator(".state .chip").all():
        box = await chip.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= own["x"] or box["y"] + box["height"] <= own["y"]
