"""Tests a change of language on an open page: the page and typed text stay, also if the browser has translated the
page.
"""

import pytest
from playwright.async_api import Page, expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.session_pages import in_the_call
from tests.web.pages.steady import device_check, lobby
from tests.web.pages.test_accessibility import is_accessible
from tests.words import speaking


async def same_page(page: Page) -> None:
    """Put a mark into the page; `still_the_same` fails if the page has been loaded again since."""
    await page.evaluate("window.same = true")


async def still_the_same(page: Page, clinic: Clinic) -> None:
    assert await page.evaluate("window.same")
    assert len(clinic.hellos) == 1, "the connection goes on"


async def test_a_patient_changes_the_language_while_writing_and_nothing_is_lost(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit#allergies", width=320, dark=True)
    await same_page(page)
    await page.get_by_label("Allergies").fill("Penicill")
    async with page.expect_request(lambda request: "lang=es" in request.url):
        await page.get_by_role("link", name="Español").click()
    await expect(page.get_by_text("Paso 3 de 6")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.get_by_label("Allergies")).to_have_value("Penicill")
    await is_accessible(page)
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_text("Step 3 of 6")).to_be_visible()
    await page.get_by_role("link", name="Español").click()
    await expect(page.get_by_role("button", name="Siguiente")).to_be_visible()
    await expect(page.get_by_role("link", name="Ir al contenido de la página")).to_be_attached()
    await still_the_same(page, clinic)


async def test_the_device_check_speaks_the_chosen_language_too(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/visit#devices")
    await expect(page.get_by_text("Only you see this")).to_be_visible()
    await device_check(page)
    await page.get_by_role("link", name="Español").click()
    await expect(page.get_by_role("button", name="Reproducir un sonido")).to_be_visible()
    await expect(page.get_by_text("Only you see this")).to_have_count(0)


async def test_a_call_goes_on_in_another_language(clinic: Clinic, open_page: OpenPage) -> None:
    await clinic.claimed_by()
    page = await open_page("/demo/visit")
    await same_page(page)
    await lobby(page)
    await page.get_by_role("link", name="Español").click()
    await expect(page.get_by_role("button", name="Comenzar la sesión")).to_be_visible()
    await in_the_call(clinic)
    await expect(page.locator(".control.danger")).to_be_visible()
    await page.get_by_role("button", name="Mensajes").click()
    await page.locator("#chat-text").fill("Una cosa m")
    await page.locator("details.more summary").click()
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await expect(page.get_by_label("Your message")).to_have_value("Una cosa m")
    await still_the_same(page, clinic)
    assert clinic.got("visit.hang_up") == []


async def test_staff_change_the_language_of_the_list_and_stay_on_call(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    clinic.staff["u_osei"]["on_call"] = True
    page = await open_page("/demo/staff", width=320)
    await same_page(page)
    await expect(page.get_by_role("button", name="Claim Ana Ruiz")).to_be_enabled()
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_role("link", name="Español").click()
    await expect(page.get_by_role("button", name="Tomar a Ana Ruiz")).to_be_enabled()
    await expect(page.locator("[data-visit=v_1]")).to_contain_text("Paso 2 de 6")
    await is_accessible(page)
    await still_the_same(page, clinic)
    assert clinic.got("on_call") == []


TRANSLATE = """() => {
  const texts = document.createTreeWalker(document.querySelector("#app"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) found.push(texts.currentNode);
  for (const text of found) {
    if (!text.data.trim() || HONOURED && text.parentElement.closest("[translate=no]")) continue;
    const [outer, inner] = [document.createElement("font"), document.createElement("font")];
    inner.textContent = `*${text.data}`;
    outer.append(inner);
    text.replaceWith(outer);
  }
}"""
"""A script that changes the page as Chrome's translation does: each text gets two <font> elements around it."""


@pytest.mark.parametrize("honoured", [True, False])
async def test_f05_place_and_wait_go_on_changing_on_a_page_that_the_browser_translates(
    clinic: Clinic, open_page: OpenPage, *, honoured: bool
) -> None:
    clinic.case |= {"guide_done": True}
    page = await open_page("/demo/visit")
    place = page.locator(".place [role=status]")
    await expect(place).to_contain_text("You are second in line")
    await page.evaluate(TRANSLATE.replace("HONOURED", str(honoured).lower()))
    # Live regions ask browsers not to translate them. If the browser obeys, their texts get no "*".
    marked = "" if honoured else "*"
    await expect(place).to_contain_text(f"{marked}You are second in line")
    await expect(page.get_by_role("heading", name="*You are ready")).to_be_visible()
    clinic.place |= {"place": 1, "wait_low_ms": 60_000, "wait_high_ms": 120_000, "on_call": 1}
    await clinic.push("place/v_1", clinic.whole("place/v_1"))
    await expect(place).to_contain_text("You are next")
    await expect(place).to_contain_text("1 to 2 minutes")
    await clinic.claimed_by()
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()


async def test_the_same_page_reads_from_right_to_left_in_arabic(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/visit#allergies")
    await same_page(page)
    start = page.get_by_role("button", name="Next")
    english = await start.bounding_box()
    await page.get_by_role("link", name="العربية").click()
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    arabic = await page.get_by_role("button", name=speaking("ar")("Next"), exact=True).bounding_box()
    assert english
    assert arabic
    assert english["x"] > 640 > arabic["x"] + arabic["width"], "what lies at the end lies on the left"
    await page.get_by_role("link", name="English").click()
    await expect(page.locator("html")).to_have_attribute("dir", "ltr")
    await still_the_same(page, clinic)


async def test_on_a_phone_a_message_lies_over_no_button_of_the_call_and_goes_when_the_messages_open(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit", width=390)
    await expect(page.get_by_text("You are second in line")).to_be_visible()
    await page.get_by_role("link", name="Español").click()
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await clinic.claimed_by()
    await in_the_call(clinic)
    await page.get_by_role("button", name="Silenciar").click()
    await expect(page.locator(".tile.self .chip")).to_have_text("Silenciado")
    own = await page.locator(".tile.self").bounding_box()
    muted = await page.locator(".tile.self .chip").bounding_box()
    assert own is not None
    assert muted is not None
    assert own["x"] <= muted["x"], "the whole word is in view"
    assert muted["x"] + muted["width"] <= own["x"] + own["width"]
    await clinic.until(lambda: clinic.got("media.mute"))
    line = {"at_ms": 0, "party": "provider", "name": "Dr Maya Osei", "text": "Can you show me your arm?"}
    await clinic.push("chat/v_1", {"type": "chat.line", "line": {**line, "id": "m_1"}})
    toast = await page.locator(".toast").bounding_box()
    controls = await page.locator(".control").first.bounding_box()
    assert toast is not None
    assert controls is not None
    assert toast["y"] + toast["height"] <= controls["y"]
    await page.locator(".marks button", has_text="Mensajes").click()
    await expect(page.locator(".toast")).to_have_count(0)
