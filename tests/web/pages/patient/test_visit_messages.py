"""Tests messages between staff and a patient who waits, on the patient's page."""

from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.reception import PAGES


async def test_f19_an_automatic_message_is_shown_in_the_language_of_the_page(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit")
    # A page makes no sound before the person has pressed something on it.
    await page.get_by_role("heading", level=1).click()
    await clinic.until(lambda: clinic.got("visit.enter"))
    await clinic.writes("clinic", "Still with us?", "Riverside Clinic")
    message = page.get_by_role("region", name="Messages").locator("p")
    await expect(message).to_have_text("Still with us?")
    await expect(message).to_have_attribute("lang", "en")
    await expect(page.get_by_role("textbox", name="Your message")).to_have_count(0)
    # The English page contains no Spanish texts; they arrive with the Spanish page.
    texts = {"es": {"Still with us?": "¿Sigue ahí?"}}
    clinic.contexts["/demo/visit"] = {"boot": {**PAGES["/demo/visit"][2]["boot"], "texts": texts}}
    await page.get_by_role("link", name="Español").click()
    await expect(page.get_by_role("region", name="Mensajes").locator("p")).to_have_text("¿Sigue ahí?")


async def test_a_patient_reads_guide_and_consent_in_the_language_of_the_page_and_the_record_keeps_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    texts = {
        "es": {
            "How are you right now?": "¿Cómo está?",
            "I cannot get up": "No puedo levantarme",
            "I ask for a video visit.\n\nNothing is recorded.": "Pido una consulta por video.",
        }
    }
    clinic.contexts["/demo/visit"] = {"boot": {**PAGES["/demo/visit"][2]["boot"], "texts": texts}}
    page = await open_page("/demo/visit#how-bad")
    await page.get_by_role("heading", name="How are you right now?").wait_for()
    await page.get_by_role("link", name="Español").click()
    title = page.get_by_role("heading", level=1)
    await expect(title).to_have_text("¿Cómo está?")
    await expect(title.locator("bdi")).to_have_attribute("lang", "es")
    await page.get_by_label("No puedo levantarme").check()
    await clinic.until(lambda: clinic.case["answers"].get("how-bad") == "I cannot get up")
    await page.goto(f"{clinic.url}/demo/visit#allergies")
    # The clinic wrote this question in English, and it has no Spanish translation.
    await expect(title.locator("bdi")).to_have_attribute("lang", "en")
    await page.goto(f"{clinic.url}/demo/visit#consent")
    await expect(page.locator(".consent")).to_be_visible()
    await page.get_by_role("link", name="Español").click()
    await expect(page.locator(".consent")).to_have_attribute("lang", "es")
    await page.locator("#step-consent").check()
    await clinic.until(lambda: (clinic.case["answers"].get("consent") or {}).get("language") == "es")


async def test_f19_a_waiting_patient_answers_a_message_and_a_reload_keeps_what_is_typed(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await clinic.until(lambda: clinic.got("visit.enter"))
    await page.get_by_role("heading", name="You are second in line").click()
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


async def test_a_patient_who_is_claimed_again_no_longer_reads_that_they_are_back_in_line(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    page = await open_page("/demo/visit")
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    await clinic.becomes(status="queued", claimant=None)
    await expect(page.locator(".toast")).to_contain_text("Nobody sees or hears you now.")
    await clinic.claimed_by()
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    assert await page.locator(".toast").count() == 0


async def test_a_question_about_the_line_closes_when_the_patient_is_no_longer_in_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit")
    for status, shown in (
        ("claimed", "Session with Dr Maya Osei"),
        ("ended", "This visit could not take place"),
    ):
        await page.get_by_role("button", name="Leave the line").click()
        await expect(page.get_by_role("dialog", name="Leave the line?")).to_be_visible()
        if status == "claimed":
            await clinic.claimed_by()
        else:
            await clinic.becomes(status=status, outcome="declined", reason=None)
        await expect(page.get_by_role("heading", name=shown)).to_be_focused()
        assert await page.get_by_role("dialog").count() == 0
        assert clinic.got("visit.withdraw") == []
        if status == "claimed":
            await clinic.becomes(status="queued", claimant=None)
