"""Tests the video session page before Start Session: both sides have the same parts at the same places."""

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
