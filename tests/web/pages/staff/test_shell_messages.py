"""Tests messages between staff and a patient who waits, on the staff's page."""

from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.staff.test_shell_pages import on_call
from tests.web.pages.test_accessibility import is_accessible


async def test_f19_staff_read_an_answer_in_the_row_and_reply(clinic: Clinic, open_page: OpenPage) -> None:
    row = clinic.row("v_1", "Ana Ruiz", 60)
    page = await on_call(clinic, open_page)
    answer = page.get_by_role("button", name="New answer of Ana Ruiz")
    await page.get_by_role("button", name="Claim Ana Ruiz").wait_for()
    await expect(answer).to_have_count(0)
    await clinic.writes("staff", "Do you have a fever?")
    await clinic.writes("patient", "Yes, since Monday", "Ana Ruiz")
    await clinic.arrives(clinic.row("v_1", "Ana Ruiz", 60, answered_ms=row["arrived_ms"] + 1), fresh=False)
    await expect(answer).to_be_visible()
    await is_accessible(page)
    await answer.click()
    talk = page.get_by_role("dialog", name="Message to Ana Ruiz")
    await expect(talk).to_contain_text("Yes, since Monday")
    await expect(talk).to_contain_text("They can answer it.")
    await is_accessible(page)
    box = talk.get_by_role("textbox", name="Your message")
    await box.fill("Thank you")
    await box.press("Enter")
    await clinic.until(lambda: clinic.got("chat.send"))
    assert clinic.got("chat.send")[0]["text"] == "Thank you"
    await clinic.leaves("v_1", by={"id": "u_lind", "name": "Dr Jonas Lind"})
    await expect(talk).to_contain_text("Ana Ruiz is not waiting any more.")
    await expect(box).to_have_count(0)
    await talk.get_by_role("button", name="Close").click()


async def test_f19_an_answer_that_was_read_is_not_new_any_more(clinic: Clinic, open_page: OpenPage) -> None:
    row = clinic.row("v_1", "Ana Ruiz", 60, answered_ms=5)
    page = await on_call(clinic, open_page)
    answer = page.get_by_role("button", name="New answer of Ana Ruiz")
    await answer.click()
    await page.get_by_role("dialog", name="Message to Ana Ruiz").get_by_role("button", name="Close").click()
    await expect(answer).to_have_count(0)
    await clinic.arrives({**row, "answered_ms": 6}, fresh=False)
    await expect(answer).to_be_visible()
