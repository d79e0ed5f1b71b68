"""Tests messages between staff and a patient who waits, on the patient's page (F19)."""

from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage


async def test_f19_a_waiting_patient_answers_a_message_and_a_reload_keeps_what_is_typed(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await page.get_by_role("heading", name="You are second in line").wait_for()
    box = page.get_by_role("textbox", name="Your message")
    await expect(box).to_have_count(0)
    await clinic.writes("staff", "Do you have a fever?")
    await box.fill("Yes, since")
    await page.reload()
    await expect(box).to_have_value("Yes, since")
    await box.fill("Yes, since Monday")
    await page.get_by_role("button", name="Send").click()
    await clinic.until(lambda: clinic.got("chat.send"))
    assert clinic.got("chat.send")[0]["text"] == "Yes, since Monday"
    await expect(box).to_have_value("")
    for _ in range(5):
        await clinic.writes("patient", "Yes, since Monday")
    await expect(page.get_by_text("You can write again when they have answered.")).to_be_visible()
    await expect(box).to_have_count(0)
