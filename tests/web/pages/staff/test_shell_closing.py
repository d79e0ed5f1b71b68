"""Tests how staff close the queue: after closing time, or when the last provider on call goes off call."""

import time

from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.staff.test_shell_pages import admins_page


async def test_f18_the_last_one_on_call_is_asked_and_an_admin_may_close_the_line(
    clinic: Clinic, open_page: OpenPage
) -> None:
    for number in (1, 2):
        clinic.row(f"v_{number}", f"Ana Ruiz {number}", 60)
    for person, staff in clinic.staff.items():
        staff["on_call"] = person == "u_osei"
    closing = {"at_ms": int(time.time() * 1000), "over": False, "rule": "ask"}
    clinic.limits |= {"closing": {"": closing}}
    page = await admins_page(clinic, open_page)
    await expect(page.get_by_text("2 patients wait. Those who still wait then are asked")).to_be_visible()
    limits = {**clinic.limits, "closing": {"": {**closing, "over": True}}}
    await clinic.push("queue", {"type": "queue.changed", "limits": limits})
    await page.get_by_role("button", name="End their visits…").click()
    await page.get_by_role("dialog", name="End the visits").get_by_role("button", name="End their").click()
    await expect(page.get_by_text("The line is closed, and those who waited are told so.")).to_be_visible()
    assert [message["visit"] for message in clinic.got("visit.close")] == ["v_1", "v_2"]
    clinic.received.clear()
    switch = page.get_by_role("switch", name="On-Call")
    await expect(switch).to_be_checked()
    await switch.click()
    question = page.get_by_role("dialog", name="Go off call as the last one?")
    await expect(question).to_contain_text("2 people are waiting, and nobody else is on call.")
    await question.get_by_role("button", name="Stay on call").click()
    await expect(switch).to_be_checked()
    assert clinic.got("on_call") == []
    await switch.click()
    await question.get_by_role("button", name="Go off call and close the line").click()
    await clinic.until(lambda: len(clinic.got("visit.close")) == 2)
    assert [message["on"] for message in clinic.got("on_call")] == [False]
    assert [message["visit"] for message in clinic.got("visit.close")] == ["v_1", "v_2"]
