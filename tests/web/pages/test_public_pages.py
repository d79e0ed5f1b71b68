"""Tests the public pages, which the server renders: they work without JavaScript."""

from types import SimpleNamespace

import pytest
from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.reception import FORM, PAGES

MEET_NOW = PAGES["/demo"][2]["meet_now"]


async def test_meet_now_leads_to_the_information_form_without_javascript(open_page: OpenPage) -> None:
    page = await open_page("/demo", java_script_enabled=False)
    await expect(page.get_by_text("Usually 4 to 9 minutes")).to_be_visible()
    hours = page.get_by_role("region", name="Opening hours")
    await expect(hours).to_contain_text("Times are for Central Standard Time.")
    await page.get_by_role("link", name="Meet Now").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your information")
    await expect(page.get_by_label("Date of birth")).to_be_visible()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"why": "closed", "opens": "tomorrow at 8:00 AM"}, "Meet Now opens tomorrow at 8:00 AM"),
        ({"why": "closed", "opens": "Monday at 9:00 AM"}, "Times are for Central Standard Time."),
        ({"why": "nobody_on_call", "opens": None}, "No clinician is on call right now"),
    ],
)
async def test_the_calendar_says_why_meet_now_is_not_available(
    clinic: Clinic, open_page: OpenPage, changes: dict[str, str], sentence: str
) -> None:
    clinic.contexts["/demo"] = {"meet_now": {**MEET_NOW, "available": False, **changes}}
    page = await open_page("/demo")
    await expect(page.get_by_text(sentence).first).to_be_visible()
    await expect(page.get_by_role("link", name="Meet Now")).to_have_count(0)


async def test_f17_the_calendar_is_not_ready_while_nobody_is_on_call(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.contexts["/demo"] = {"meet_now": {**MEET_NOW, "on_call": 0, "wait": None}}
    page = await open_page("/demo")
    await expect(page.get_by_text("No clinician is on call right now.")).to_be_visible()
    await expect(page.get_by_text("Ready when you are")).to_have_count(0)
    await expect(page.get_by_role("link", name="Meet Now")).to_be_visible()


async def test_a_browser_with_an_open_visit_is_offered_the_way_back(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.contexts["/demo"] = {"open_visits": [("/demo/visit?visit=v_1", "Ana Ruiz")]}
    page = await open_page("/demo")
    await expect(page.get_by_role("link", name="Return to your visit")).to_have_attribute(
        "href", "/demo/visit?visit=v_1"
    )


async def test_a_form_that_failed_keeps_what_was_right_and_leads_to_what_was_wrong(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.contexts["/demo/information"] = {
        "form": {**FORM, "name": "Ana <Ruiz>", "state": "TX", "phone": "12"},
        "errors": {"phone": "This does not look like a phone number."},
    }
    page = await open_page("/demo/information")
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.get_by_label("Full name")).to_have_value("Ana <Ruiz>")
    await expect(page.get_by_label("Where are you now?")).to_have_value("TX")
    phone = page.get_by_label("Phone")
    await expect(phone).to_have_attribute("aria-invalid", "true")
    await expect(phone).to_have_accessible_description(
        "We call it if the video fails This does not look like a phone number."
    )
    await page.get_by_role("link", name="This does not look like a phone number.").click()
    await expect(phone).to_be_focused()


async def test_f12_what_was_typed_outlasts_a_reload_and_another_language_but_not_the_form(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/information")
    await page.get_by_label("Full name").fill("Ana Ruiz")
    await page.get_by_label("Where are you now?").select_option("TX")
    await page.get_by_text("Are you filling this in for someone else?").click()
    await page.get_by_label("Your name, and who you are to the patient").fill("Rosa, mother")
    await page.reload()
    await expect(page.get_by_label("Full name")).to_have_value("Ana Ruiz")
    await expect(page.get_by_label("Where are you now?")).to_have_value("TX")
    await expect(page.get_by_label("Your name, and who you are to the patient")).to_be_visible()
    # After a mistake, the server sends the typed values back, and these replace the stored draft.
    clinic.contexts["/demo/information"] = {"form": {**FORM, "name": "Ben"}, "errors": {"email": "No."}}
    await page.reload()
    await expect(page.get_by_label("Full name")).to_have_value("Ben")
    # The visit is open by now, so the draft of the form has been removed.
    await page.goto(page.url.replace("/information", "/visit"))
    await expect(page.get_by_text("You are second in line")).to_be_visible()
    assert (
        await page.evaluate("Object.keys(sessionStorage).filter((name) => name.startsWith('draft:'))") == []
    )


async def test_a_form_pressed_twice_is_sent_once(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/information")
    await page.evaluate(
        """() => {
            window.sent = 0;
            document.addEventListener('submit', (event) => {
                if (!event.defaultPrevented) window.sent += 1;
                event.preventDefault();  // not really: the page is still needed
            });
        }"""
    )
    await page.get_by_role("button", name="Get in line").dblclick()
    await expect(page.get_by_role("button", name="One moment…")).to_be_visible()
    assert await page.evaluate("window.sent") == 1


async def test_an_accent_too_light_for_white_text_is_darkened(clinic: Clinic, open_page: OpenPage) -> None:
    clinic.contexts["/demo"] = {
        "org": SimpleNamespace(id="demo", name="Riverside Clinic", accent="#7fd3ff", timezone="UTC")
    }
    page = await open_page("/demo")
    accent = await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent')")
    red, green, blue = (int(part) for part in accent.removeprefix("rgb(").removesuffix(")").split())
    assert (red, green, blue) < (0x7F, 0xD3, 0xFF)
    assert blue > green > red
