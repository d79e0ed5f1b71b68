"""Tests the page On-Demand Requests: order by urgency, waiting areas, warnings when limits are exceeded, and the
fields above the list.
"""

import pytest
from playwright.async_api import expect

from tests.web.pages.clinic import LIND, Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.staff.test_shell_pages import admins_page, on_call
from tests.web.pages.test_accessibility import is_accessible


async def test_f38_a_row_says_how_urgent_it_is_and_why_and_staff_set_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.limits |= {"urgent_first": True, "level_words": {"urgent": "Soon"}, "alert_waiting": 2}
    clinic.row("v_1", "Ana Ruiz", 1_900)
    clinic.row("v_2", "Jon Bell", 60, urgency={"level": "urgent", "by": LIND, "answer": ""})
    chest = {"level": "emergency", "by": None, "answer": "Chest pain"}
    clinic.row("v_3", "Mei Lin", 30, urgency=chest)
    page = await on_call(clinic, open_page)
    rows = page.get_by_role("list", name="Patients, most urgent first").get_by_role("heading")
    await expect(rows).to_have_text(["Mei Lin", "Jon Bell", "Ana Ruiz"])
    await expect(page.locator("[data-visit=v_3] .who")).to_contain_text("Emergency: answered “Chest pain”")
    await expect(page.locator("[data-visit=v_2] .who")).to_contain_text("Soon: set by Dr Jonas Lind")
    await expect(page.get_by_text("3 patients are waiting, more than 2.")).to_be_visible()
    await is_accessible(page)
    await page.get_by_label("More for Ana Ruiz").click()
    await page.get_by_role("button", name="Set the urgency").click()
    dialog = page.get_by_role("dialog", name="How urgent is Ana Ruiz?")
    await expect(dialog.get_by_role("radio", name="Routine")).to_be_checked()
    await is_accessible(page)
    await dialog.get_by_role("radio", name="Soon").check()
    await dialog.get_by_role("button", name="Set").click()
    await clinic.until(lambda: clinic.got("visit.urgency"))
    assert clinic.got("visit.urgency")[0]["level"] == "urgent"
    await clinic.leaves("v_2")
    await expect(page.get_by_text("more than 2.")).to_have_count(0)
    clinic.limits |= {"urgent_first": False}
    await clinic.push("queue", {"type": "queue.changed", "limits": clinic.limits})
    rows = page.get_by_role("list", name="Patients, longest waiting first").get_by_role("heading")
    await expect(rows).to_have_text(["Ana Ruiz", "Mei Lin"])


async def test_f39_requests_are_found_by_area_and_moved_to_another(
    clinic: Clinic, open_page: OpenPage
) -> None:
    mind = {"id": "mind", "name": "Behavioural health"}
    for number in range(7):
        clinic.row(f"v_{number}", f"Patient {number}", 700 - number, area=None if number else mind)
    page = await admins_page(clinic, open_page, areas={"mind": "Behavioural health", "walk": "Walk-in"})
    await expect(page.locator("[data-visit=v_0]")).to_contain_text("Behavioural health")
    search = page.get_by_role("search", name="On-Demand Requests")
    await search.get_by_label("Waiting area").select_option("mind")
    await expect(page.get_by_text("1 of 7 shown")).to_be_visible()
    await page.get_by_label("More for Patient 0").click()
    await page.get_by_role("button", name="Move to another waiting area").click()
    dialog = page.get_by_role("dialog", name="Move Patient 0 to another waiting area")
    await expect(dialog.get_by_role("radio")).to_have_count(2)
    await is_accessible(page)
    await dialog.get_by_role("radio", name="Walk-in").check()
    await dialog.get_by_role("button", name="Move").click()
    await clinic.until(lambda: clinic.got("visit.move"))
    assert clinic.got("visit.move")[0]["area"] == "walk"


CUT = """() => [...document.querySelectorAll(".sift select")].filter((field) => {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = getComputedStyle(field).font;
    const words = pen.measureText(field.selectedOptions[0].text).width;
    const arrow = 32, start = 12;
    return start + words + arrow > field.clientWidth;
}).map((field) => field.name)"""
"""A script that returns the names of the fields whose chosen words do not fit beside the arrow."""


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (1024, "en"), (1280, "fr")])
async def test_no_field_above_the_list_is_cut(
    clinic: Clinic, open_page: OpenPage, width: int, language: str
) -> None:
    for number in range(9):
        clinic.row(f"v_{number}", f"Patient {number}", 60)
    clinic.staff["u_osei"]["on_call"] = True
    page = await open_page(f"/demo/staff?lang={language}", width=width)
    await expect(page.locator(".sift")).to_be_visible()
    assert await page.evaluate(CUT) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_list_that_fits_the_window_does_not_scroll(clinic: Clinic, open_page: OpenPage) -> None:
    page = await on_call(clinic, open_page)
    await expect(page.get_by_text("Nobody is waiting")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
