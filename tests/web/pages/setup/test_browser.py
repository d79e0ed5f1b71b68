"""Tests the set-up in a real browser: the keyboard, the preview of changes, and accessibility.

A patient then uses the pages that were set up.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, Page, Route, expect

from signalling.visit.commands import Assign
from signalling.visit.record import Actor, Role
from tests.web.browsing import OpenPage, pages, send_sign_in
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_frame import stored
from tests.web.pages.setup.test_logo import png
from tests.web.pages.test_accessibility import READERS, is_accessible
from tests.web.site import ADMIN, FORM, OSEI, Site
from tests.words import speaking
from web.keys import SERVICE
from web.organisations import demo


@pytest.fixture
async def open_page(site: Site, browser: Browser) -> AsyncIterator[OpenPage]:
    """A function that opens a page; the person is not signed in. A page may log an error only if a form was refused."""
    async with pages(site, browser, expected="status of (401|409|422)") as open_page:
        yield open_page


async def signed_in(site: Site, open_page: OpenPage, email: str = ADMIN, **how: Any) -> Page:
    page = await open_page("/demo/staff/sign-in", **how)
    await send_sign_in(page, site, email)
    return page


async def go(site: Site, page: Page, path: str) -> None:
    await page.goto(str(site.server.make_url(path)))


async def save(page: Page, name: str = "Save") -> None:
    """Press the save button of the page, and check that the page was saved."""
    await page.get_by_role("button", name=name, exact=True).last.click()
    await expect(page.get_by_text("Saved. It holds from now on.")).to_be_visible()


@pytest.mark.parametrize(("width", "dark", "language"), READERS)
async def test_every_page_of_the_set_up_is_accessible(
    site: Site, open_page: OpenPage, width: int, dark: bool, language: str
) -> None:
    say = speaking(language)
    page = await signed_in(site, open_page, width=width, dark=dark)
    await go(site, page, f"/demo/staff/setup?lang={language}")
    assert (await (await desk(site)).change("areas", new="Mind")).status == 303
    assert (await (await desk(site)).change("rota", new="u_osei")).status == 303
    for part in (
        "",
        "/calendar",
        "/guide",
        "/guide?area=mind",
        "/areas",
        "/people",
        "/rota",
        "/policy",
        "/after",
        "/links",
    ):
        await go(site, page, f"/demo/staff/setup{part}")
        await is_accessible(page)
    await page.goto(str(site.server.make_url("/demo/staff/setup/calendar")))
    await page.get_by_label(say("Name of the clinic")).fill("")
    await page.locator("[name=opens-0]").first.fill("17:00")
    await page.locator("[name=closes-0]").first.fill("17:00")
    await page.get_by_role("button", name=say("Save")).click()
    await expect(page.locator("#errors li")).to_have_count(2)
    await is_accessible(page)
    await go(site, page, "/demo/staff/setup/people")
    menu = page.locator("details.sections > summary")
    assert await menu.is_visible() is (width < 700), "a phone has a line that opens instead of a list"
    if width < 700:
        await menu.press("Enter")
    sections = page.get_by_role("navigation", name=say("Set-up"))
    await expect(sections.get_by_role("link", name=say("People"))).to_have_attribute("aria-current", "page")
    for person in await page.locator(".section summary").all():
        await person.click()
    await is_accessible(page)
    await page.locator("#new-name").fill("Dr Ida Berg")
    await page.locator("#new-email").fill("berg@riverside.example")
    await page.get_by_role("button", name=say("Add and make a link")).click()
    link = await page.locator("code.secret").inner_text()
    await is_accessible(page)
    await page.goto(link)
    await page.get_by_label(say("Password"), exact=True).wait_for()
    assert page.url.endswith("/demo/staff/password"), "the link's token has left the address bar"
    await is_accessible(page)


async def test_a_conflict_shows_what_changed_and_is_accessible(site: Site, open_page: OpenPage) -> None:
    one, other = await signed_in(site, open_page), await signed_in(site, open_page)
    for page in (one, other):
        await go(site, page, "/demo/staff/setup/calendar")
    await one.get_by_label("Name of the clinic").fill("Lakeside Clinic")
    await save(one)
    await other.get_by_label("Welcome text").fill("Come in.")
    await other.get_by_role("button", name="Save", exact=True).click()
    await expect(other.get_by_text("Robin Hale saved this page while you were writing")).to_be_visible()
    await expect(other.get_by_role("row", name="Name of the clinic")).to_contain_text("Lakeside Clinic")
    await expect(other.get_by_label("Welcome text")).to_have_value("Come in.")
    await is_accessible(other)
    await other.get_by_role("link", name="Take what is saved, and drop mine").click()
    await expect(other.get_by_label("Name of the clinic")).to_have_value("Lakeside Clinic")


async def test_f31_pages_are_cleared_at_the_sign_out_and_typed_values_are_kept(
    site: Site, open_page: OpenPage
) -> None:
    page = await signed_in(site, open_page, width=320, dark=True)
    await go(site, page, "/demo/staff/setup/policy")
    await page.get_by_label("A wait turns amber after").fill("7")
    other, calendar = await page.context.new_page(), await page.context.new_page()
    await go(site, calendar, "/demo/staff/calendar")
    await expect(calendar.get_by_role("switch", name="On-Call")).to_be_enabled()
    await go(site, other, "/demo/staff/setup")
    await other.get_by_role("button", name="Menu").click()
    await other.get_by_role("button", name="Sign out").click()
    await expect(calendar.get_by_role("heading", name="You are signed out")).to_be_visible()
    await expect(calendar.get_by_role("heading", name="Calendar")).to_have_count(0)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    await is_accessible(page)
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Sign in").click()
    other = await opened.value
    await other.get_by_label("Email").fill(ADMIN)
    await other.get_by_label("Password").fill(demo.password(site.settings, ADMIN))
    await other.get_by_role("button", name="Sign in").click()
    await other.wait_for_url("**/demo/staff")
    await page.get_by_role("button", name="Send it again").click()
    await expect(page.get_by_text("Saved. It holds from now on.")).to_be_visible()
    assert (await stored(site)).policy.amber_ms == 420_000


async def test_the_first_set_up_leads_from_step_to_step(site: Site, open_page: OpenPage) -> None:
    page = await signed_in(site, open_page)
    await go(site, page, "/demo/staff/setup")
    await expect(page.get_by_role("heading", name="1 of 5 steps are done")).to_be_visible()
    for link, button in (
        ("Set up the public-facing calendar", "Save"),
        ("Build the setup guide", "Save as a new version"),
        ("Look at the rules and limits", "Save"),
    ):
        await page.get_by_role("link", name=link).click()
        await save(page, button)
        await page.get_by_role("link", name="First set-up").click()
    await expect(page.get_by_role("heading", name="5 of 5 steps are done")).to_be_visible()


async def test_hours_with_a_break_and_a_closed_day_are_what_visitors_see(
    site: Site, open_page: OpenPage
) -> None:
    page = await signed_in(site, open_page)
    await go(site, page, "/demo/staff/setup/calendar")
    await page.get_by_label("Monday, opens").first.fill("09:00")
    await page.get_by_label("Monday, closes").first.fill("12:00")
    await page.get_by_label("Monday, closes").first.blur()
    await page.get_by_label("Monday, opens").nth(1).fill("13:00")
    await page.get_by_label("Monday, closes").nth(1).fill("17:30")
    await page.get_by_role("button", name="Monday’s hours on all weekdays").click()
    await expect(page.get_by_label("Friday, opens").nth(1)).to_have_value("13:00")
    await page.get_by_label("Saturday, opens").first.fill("22:00")
    await page.get_by_label("Saturday, closes").first.fill("02:00")
    for end in ("opens", "closes"):
        await page.get_by_label(f"Sunday, {end}").first.fill("")
    await page.get_by_label("Closed on").first.fill("2031-12-25")
    await expect(page.get_by_text("next day", exact=True).locator("visible=true")).to_have_count(1)
    await page.get_by_label("Notice").fill("We are short of staff today.")
    await page.get_by_label("Colour of the clinic").fill("#ffcc00")
    await expect(page.get_by_text("pages use this darker one")).to_be_visible()
    await save(page)
    found = await stored(site)
    assert found.hours[:5] == ((("09:00", "12:00"), ("13:00", "17:30")),) * 5
    assert found.hours[5] == (("22:00", "02:00"),)
    assert found.closed == ("2031-12-25",)
    visitor = await open_page("/demo")
    await expect(visitor.get_by_text("We are short of staff today.")).to_be_visible()
    await expect(visitor.get_by_role("row", name="Friday")).to_contain_text(
        re.compile(r"1:00\sPM – 5:30\sPM")
    )
    await is_accessible(visitor)


async def test_the_clinics_logo_and_colour_are_on_the_live_pages_too(site: Site, open_page: OpenPage) -> None:
    page = await signed_in(site, open_page)
    mark = page.locator(".side .org")
    await expect(mark.locator(".mark")).to_have_text("R")
    await go(site, page, "/demo/staff/setup/calendar")
    await page.get_by_label("Choose the colour from a palette").fill("#1d4ed8")
    await save(page)
    logo = FilePayload(name="logo.png", mimeType="image/png", buffer=png(120, 40))
    await page.locator("input[type=file]").set_input_files(logo)
    await page.get_by_role("button", name="Use this picture").click()
    await expect(page.get_by_role("img", name="The logo now")).to_be_visible()
    await expect(page.get_by_text("Saved. It holds from now on.")).to_be_visible()
    ana = await open_page("/demo/information", width=390)
    for name in ("name", "birth_date", "phone", "email", "reason"):
        await ana.locator(f"[name={name}]").fill(FORM[name])
    await ana.locator("[name=state]").select_option("TX")
    await ana.get_by_role("button", name="Get in line").click()
    await expect(ana.get_by_text("Step 1 of 6")).to_be_visible()
    await go(site, page, "/demo/staff")
    for live, place in ((ana, ana.locator(".top .home")), (page, mark)):
        width = "(image) => image.decode().then(() => image.naturalWidth)"
        assert await place.locator("img").evaluate(width) == 120
        accent = "getComputedStyle(document.documentElement).getPropertyValue('--accent')"
        assert await live.evaluate(accent) == "rgb(29 78 216)"


async def test_f40_the_switch_the_bell_and_the_menu_are_on_every_page_and_requests_are_heard(
    site: Site, open_page: OpenPage
) -> None:
    page = await signed_in(site, open_page, width=320, dark=True)
    switch = page.get_by_role("switch", name="On-Call")
    for path in ("/calendar", "/reports", "/preferences", "/two-factor", "/setup/people"):
        await go(site, page, f"/demo/staff{path}")
        await expect(switch).not_to_be_checked()
        await expect(switch).to_be_enabled()
        await expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Menu").click()
        await expect(page.get_by_role("link", name="Sessions List 0 waiting")).to_be_visible()
    await is_accessible(page)
    await go(site, page, "/demo/staff/setup/policy")
    await switch.click()
    await expect(switch).to_be_checked()
    await expect(page.get_by_role("heading", name="Rules and limits")).to_be_visible()
    await site.person().ask_for_a_visit()
    await expect(page.get_by_role("button", name="Menu 1 waiting")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("data-rung", "1")
    (visit,) = [kept.id for kept in (await site.app[SERVICE].mirrors.get("demo")).visits.values()]
    robin = Actor(organisation="demo", id="u_lind", name="Dr Jonas Lind", role=Role.ADMIN)
    await site.app[SERVICE].command(robin, visit, Assign("u_admin"))
    await page.get_by_role("button", name="Notifications 1 unread").click()
    await is_accessible(page)
    await page.get_by_role("button", name="Open Ana Ruiz").click()
    await page.wait_for_url("**/demo/staff")
    await expect(page.locator(f"[data-visit={visit}] button").first).to_be_focused()
    await expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()


async def test_the_guide_is_built_with_the_keyboard_and_tried_in_the_preview(
    site: Site, open_page: OpenPage
) -> None:
    page = await signed_in(site, open_page)
    await go(site, page, "/demo/staff/setup/guide")
    await page.get_by_role("button", name="Yes or no", exact=True).press("Enter")
    await expect(page.get_by_label("What the step asks").last).to_be_focused()
    await page.keyboard.type("Do you have a fever?")
    await page.get_by_role("button", name="Text", exact=True).press("Enter")
    await expect(page.get_by_label("What the step asks").last).to_be_focused()
    await page.keyboard.type("How high is it?")
    await page.get_by_label("Asked only if").last.select_option(label="Do you have a fever?: Yes")
    for name, at in (("Do you have a fever?", 0), ("How high is it?", 1)):
        for _ in range(6):
            await page.get_by_role("button", name=f"Move up {name}").press("Enter")
        await expect(page.locator("[data-step] h2").nth(at)).to_contain_text(name)
    await expect(page.get_by_role("button", name="Move up Do you have a fever?")).to_be_disabled()
    await page.get_by_role("button", name="Move down How high is it?").press("Enter")
    await expect(page.locator("[data-step] h2").nth(2)).to_contain_text("How high is it?")
    await expect(page.get_by_role("button", name="Move down How high is it?")).to_be_focused()
    await page.get_by_role("button", name="Move up How high is it?").press("Enter")
    await expect(page.locator("[data-step] h2").nth(1)).to_contain_text("How high is it?")
    preview = page.get_by_role("region", name="Preview")
    await expect(preview.get_by_role("heading", name="Do you have a fever?")).to_be_visible()
    await preview.get_by_label("No", exact=True).check()
    await preview.get_by_role("button", name="Next").click()
    await expect(preview.get_by_role("heading", name="When did it begin?")).to_be_visible()
    await preview.get_by_role("button", name="Back").click()
    await preview.get_by_label("Yes", exact=True).check()
    await preview.get_by_role("button", name="Next").click()
    await expect(preview.get_by_role("heading", name="How high is it?")).to_be_visible()
    await preview.get_by_role("button", name="Next").click()
    await expect(preview.get_by_text("Please write something here.")).to_be_visible()
    await is_accessible(page)
    await save(page, "Save as a new version")
    titles = [step.title for step in (await stored(site)).guide.steps]
    assert titles[:3] == ["Do you have a fever?", "How high is it?", "When did it begin?"]


async def test_what_is_typed_while_a_step_is_being_added_stays(site: Site, open_page: OpenPage) -> None:
    page = await signed_in(site, open_page)
    await go(site, page, "/demo/staff/setup/guide")
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        arrived.set()
        await answered.wait()
        await route.continue_()

    await page.route("**/staff/setup/guide", hold)
    titles = page.get_by_label("What the step asks")
    before = await titles.count()
    await page.get_by_role("button", name="Text", exact=True).click()
    await arrived.wait()
    await titles.first.fill("Since when?")
    answered.set()
    await expect(titles).to_have_count(before + 1)
    await expect(titles.first).to_have_value("Since when?")
    await expect(titles.first).to_be_focused()
    await expect(page.locator("[data-step] h2").first).to_contain_text("Since when?")


async def test_a_patient_is_asked_only_what_their_answers_call_for(site: Site, open_page: OpenPage) -> None:
    page = await signed_in(site, open_page)
    await go(site, page, "/demo/staff/setup/guide")
    titles = page.get_by_label("What the step asks")
    before = await titles.count()
    await page.get_by_role("button", name="Text", exact=True).click()
    # Wait for the page with the new step: a text that is typed into the earlier page would be lost.
    await expect(titles).to_have_count(before + 1)
    await titles.last.fill("Which week is it?")
    await page.get_by_label("Asked only if").last.select_option(
        label="Are you pregnant, or could you be?: Yes"
    )
    steps = page.locator("[data-step] h2")
    last = await steps.count() - 1
    for place in range(last - 1, last - 4, -1):
        await page.get_by_role("button", name="Move up Which week is it?").click()
        await expect(steps.nth(place)).to_contain_text("Which week is it?")
    assert place == 3
    await save(page, "Save as a new version")

    ana = await open_page("/demo/information")
    for name, value in {
        "name": "Ana Ruiz",
        "birth_date": "1990-04-02",
        "phone": "512 555 0142",
        "email": "ana@example.org",
        "reason": "Rash",
    }.items():
        await ana.locator(f"[name={name}]").fill(value)
    await ana.locator("[name=state]").select_option("TX")
    await ana.locator("[name=language]").select_option("en")
    await ana.get_by_role("button", name="Get in line").click()
    await expect(ana.get_by_text("Step 1 of 6")).to_be_visible()
    await ana.get_by_role("button", name="Next").click()
    await ana.get_by_label("I can go about my day").check()
    await ana.get_by_role("button", name="Next").click()
    await ana.get_by_label("Yes", exact=True).check()
    await expect(ana.get_by_text("Step 3 of 7")).to_be_visible()
    await ana.get_by_role("button", name="Next").click()
    await expect(ana.get_by_role("heading", name="Which week is it?")).to_be_visible()
    await ana.get_by_role("button", name="Back").click()
    await ana.get_by_label("No", exact=True).check()
    await expect(ana.get_by_text("Step 3 of 6")).to_be_visible()
    await ana.get_by_role("button", name="Next").click()
    await expect(ana.get_by_role("heading", name="Allergies and medicines")).to_be_visible()


async def test_a_person_who_is_no_admin_gets_a_sentence(site: Site, open_page: OpenPage) -> None:
    page = await signed_in(site, open_page, OSEI)
    assert (await page.context.request.get(str(site.server.make_url("/demo/staff/setup")))).status == 403


async def test_on_a_phone_one_line_names_the_open_section_and_leads_to_the_others(
    site: Site, open_page: OpenPage
) -> None:
    page = await signed_in(site, open_page)
    await page.set_viewport_size({"width": 320, "height": 640})
    await go(site, page, "/demo/staff/setup/audit")
    menu = page.locator("summary").filter(has_text="Set-up: Audit log")
    await expect(menu).to_be_in_viewport(ratio=0.9)
    await menu.press("Enter")
    await page.get_by_role("navigation", name="Set-up").get_by_role("link", name="Rules and limits").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Rules and limits")
