"""Tests booked visits in a real browser: booking, moving, cancelling, checking in, and the staff's view."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from signalling.visit.record import Status
from tests.browsers import SHOWN_S
from tests.web.browsing import OpenPage, pages, send_sign_in
from tests.web.conftest import OpenSite
from tests.web.pages.test_accessibility import LOOKS, is_accessible
from tests.web.site import ADMIN, OSEI, Site
from web.appointments.slots import MINUTE_MS
from web.keys import DESK, SERVICE
from web.organisations.settings import Booking

SOON_MS = 240_000
"""A time that begins within this number of ms may be gone before the test has pressed it. It is less than the five
minutes of a visit, so that no other time is that near.
"""


def morning() -> str:
    """Return the name of a time zone in which it is now between nine and ten o'clock, so that many times of today are
    left.
    """
    ahead = (9 - datetime.now(UTC).hour + 11) % 24 - 11
    return (
        f"Etc/GMT{-ahead:+d}"  # in the names of these time zones, the sign is the opposite of the usual sign
    )


@pytest.fixture
def zone() -> str:
    """The time zone of the clinic, in which it is morning now."""
    return morning()


@pytest.fixture
async def site(open_site: OpenSite, zone: str) -> Site:
    """A clinic where it is morning now, and which takes bookings of five minutes each at any time of day."""
    site = await open_site()
    booking = Booking(enabled=True, slot_min=5, lead_h=0, horizon_days=9, capacity=1)
    await site.change(booking=booking, timezone=zone)
    return site


@pytest.fixture
async def open_page(site: Site, browser: Browser, zone: str) -> AsyncIterator[OpenPage]:
    """A function that opens a path in a browser of its own, in the clinic's time zone unless another is given."""
    # Answers with these statuses are pages that explain what is wrong, so they are expected.
    async with pages(
        site,
        browser,
        expected="status of (409|422)",
        kinds=("error", "warning"),
        timezone_id=zone,
    ) as open_page:
        yield open_page


async def choose(page: Page, at: int = 0) -> str:
    """Press one of the free times; return it in ms since 1970. The index 0 is the first time that does not begin
    within SOON_MS.
    """
    first = page.locator(".times button").first
    await first.wait_for()
    await page.wait_for_load_state()  # the script of the page draws the times anew
    begins_ms = int(await first.get_attribute("value") or 0)
    soon = begins_ms < time.time() * 1000 + SOON_MS
    chosen = page.locator(".times button").nth(at + soon)
    chosen_ms = await chosen.get_attribute("value") or ""
    await chosen.click()
    return chosen_ms


async def book(page: Page, at: int = 0, name: str = "Ana Ruiz") -> None:
    """Book a time as this person, from the calendar to the page of the booked visit.

    `at`: the index of the free time.
    """
    await choose(page, at)
    await page.get_by_label("Full name").fill(name)
    await page.get_by_label("Date of birth").fill("1990-04-02")
    await page.get_by_label("Phone").fill("512 555 0142")
    await page.get_by_label("Email").fill("ana@example.org")
    await page.get_by_label("Where will you be at that time?").select_option("TX")
    await page.get_by_label("Preferred language").select_option("en")
    await page.get_by_label("Reason for the visit").fill("Rash, three days")
    await page.get_by_role("button", name="Book this time").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your booked visit")


async def starts(site: Site) -> list[int]:
    return [one.starts_ms for one in await site.app[DESK].book.between("demo", 0, 10**15)]


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_visitor_books_moves_and_cancels_with_and_without_javascript(
    site: Site, open_page: OpenPage, javascript: bool
) -> None:
    page = await open_page("/demo", java_script_enabled=javascript)
    await book(page, 3)
    (first,) = await starts(site)
    await page.get_by_role("link", name="Move to another time").click()
    await choose(page, 5)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your booked visit")
    (second,) = await starts(site)
    assert second != first
    await page.get_by_text("Cancel this visit").click()
    await page.get_by_role("button", name="Yes, cancel it").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This visit was cancelled")


async def test_the_link_in_the_letter_opens_the_visit(site: Site, open_page: OpenPage) -> None:
    await book(await open_page("/demo"))
    outbox = Path(site.settings.data.folder) / "outbox"
    async with asyncio.timeout(SHOWN_S):
        while not (found := list(outbox.glob("*booked*.eml"))):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    text = found[0].read_text("utf-8").replace("=\n", "").replace("=3D", "=")
    link = re.search(r"/demo/appointments/\S+~[\w-]+", text)
    assert link
    page = await open_page(link[0])
    await expect(page.get_by_text("Ana Ruiz")).to_be_visible()


async def test_times_are_shown_by_the_visitors_own_clock(site: Site, open_page: OpenPage) -> None:
    await site.change(timezone="America/Chicago")
    here = await open_page("/demo", timezone_id="America/Chicago")
    there = await open_page("/demo", timezone_id="Asia/Kolkata")
    await expect(there.get_by_text("Times are for where you are: India Standard Time.")).to_be_visible()
    await expect(here.locator("#zone")).to_contain_text("Times are for Central")
    for page, zone in ((here, "America/Chicago"), (there, "Asia/Kolkata")):
        button = page.locator(".times button").first
        at = await page.evaluate(
            """([at, timeZone]) => new Intl.DateTimeFormat("en-US", { timeZone, timeStyle: "short" }).format(at)""",
            [int(await button.get_attribute("value") or 0), zone],
        )
        await expect(button).to_have_text(at)
    await book(there)
    await expect(there.get_by_text("Kolkata time")).to_be_visible()
    await expect(there.get_by_text("At the clinic:")).to_be_visible()


async def test_another_day_and_another_week_open_with_one_press(site: Site, open_page: OpenPage) -> None:
    page = await open_page("/demo")
    before = await page.locator(".days .day").all_inner_texts()
    await page.locator(".days .day").nth(2).click()
    await expect(page.locator(".days .day").nth(2)).to_have_attribute("aria-current", "date")
    await page.get_by_role("link", name="Later").click()
    await expect(page.locator(".days .day").first).not_to_have_text(before[0])
    await book(page)
    assert (await starts(site))[0] - datetime.now(UTC).timestamp() * 1000 > 5 * 24 * 60 * MINUTE_MS


async def test_of_two_visitors_who_press_the_same_time_one_sees_a_message_and_chooses_again(
    site: Site, open_page: OpenPage
) -> None:
    ana, ben = await open_page("/demo"), await open_page("/demo")
    chosen_ms = await choose(ana, 4)
    await ana.get_by_label("Full name").wait_for()
    await ben.locator(f".times button[value='{chosen_ms}']").click()
    await expect(ben.get_by_role("alert")).to_contain_text("Somebody else has just taken this time")
    await book(ben, 4, "Ben Lee")
    assert len(await starts(site)) == 1


async def test_check_in_is_shown_to_staff_and_leads_into_the_same_session_page(
    site: Site, open_page: OpenPage
) -> None:
    osei = await open_page("/demo/staff/sign-in")
    await send_sign_in(osei, site, OSEI)
    await osei.get_by_role("switch", name="On-Call").click()
    ana = await open_page("/demo")
    await book(ana)
    await ana.get_by_role("button", name="Check In").click()
    await ana.wait_for_url("**/demo/visit**")
    await expect(osei.get_by_text(re.compile(r"Booked \d"))).to_be_visible()
    await osei.get_by_role("button", name="Claim Ana Ruiz").click()
    await expect(ana.get_by_role("button", name="Start Session")).to_be_visible()
    await expect(osei.get_by_role("button", name="Start Session")).to_be_visible()
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    assert visit.status is Status.CLAIMED
    assert [visit.booked_ms] == await starts(site)


async def test_check_in_opens_by_itself_when_it_is_time(
    site: Site, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page("/demo")
    await book(page, 3)
    (first,) = await starts(site)
    desk = site.app[DESK]
    monkeypatch.setattr(desk, "now_ms", lambda: first - 15 * MINUTE_MS - 1_500)
    await page.reload()
    await expect(page.get_by_text("Check In opens here")).to_be_visible()
    monkeypatch.setattr(desk, "now_ms", lambda: first - 15 * MINUTE_MS)
    await expect(page.get_by_role("button", name="Check In")).to_be_visible()


async def test_staff_see_who_has_booked_and_checked_in_and_cancel_for_a_patient(
    site: Site, open_page: OpenPage
) -> None:
    ana, ben = await open_page("/demo"), await open_page("/demo")
    await book(ana)
    await book(ben, 3, "Ben Lee")
    osei = await open_page("/demo/staff/sign-in")
    await send_sign_in(osei, site, OSEI)
    await osei.goto(str(site.server.make_url("/demo/staff/calendar?view=week")))
    row = osei.get_by_role("listitem").filter(has_text="Ana Ruiz")
    await expect(row).to_contain_text("Booked")
    await ana.get_by_role("button", name="Check In").click()
    await ana.wait_for_url("**/demo/visit**")
    # Send the event that the browser sends when a visitor returns to the page.
    await osei.evaluate("window.dispatchEvent(new Event('focus'))")
    await expect(row).to_contain_text("Checked in")
    await osei.get_by_text("Cancel Ben Lee").click()
    await osei.get_by_role("button", name="Cancel the visit Ben Lee").click()
    await expect(osei.get_by_role("listitem").filter(has_text="Ben Lee")).to_contain_text(
        "Cancelled by Dr Maya Osei"
    )
    await ben.reload()
    await expect(ben.get_by_text("Dr Maya Osei of Riverside Clinic cancelled it.")).to_be_visible()


async def test_staff_move_a_visit_to_another_time(site: Site, open_page: OpenPage) -> None:
    ana = await open_page("/demo")
    await book(ana, 3)
    (before,) = await starts(site)
    osei = await open_page("/demo/staff/sign-in")
    await send_sign_in(osei, site, OSEI)
    await osei.goto(str(site.server.make_url("/demo/staff/calendar?view=week")))
    await osei.get_by_role("link", name="Move Ana Ruiz").click()
    await choose(osei, 6)
    await expect(osei.get_by_role("heading", level=1)).to_have_text("Calendar")
    await expect(osei.get_by_role("listitem").filter(has_text="Ana Ruiz")).to_contain_text("moved")
    assert await starts(site) != [before]


async def test_the_staffs_calendar_always_leads_back_to_today(site: Site, open_page: OpenPage) -> None:
    osei = await open_page("/demo/staff/sign-in")
    await send_sign_in(osei, site, OSEI)
    await osei.goto(str(site.server.make_url("/demo/staff/calendar")))
    today = osei.get_by_role("link", name="Today")
    await expect(today).to_have_attribute("aria-current", "date")
    await osei.get_by_role("link", name="Later").click()
    await expect(today).not_to_have_attribute("aria-current", "date")
    await today.click()
    await expect(osei.locator("#bookings .chip")).to_have_text("today")


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_pages_of_booked_visits_and_reports_are_accessible(
    site: Site, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = await open_page("/demo", width=width, dark=dark)
    await is_accessible(page)
    await choose(page, 2)
    await page.get_by_role("button", name="Book this time").click()
    await page.get_by_role("alert").wait_for()
    await is_accessible(page)
    await page.goto(str(site.server.make_url("/demo")))
    await book(page)
    await is_accessible(page)
    booked = page.url
    await page.get_by_role("link", name="Move to another time").click()
    await page.locator(".times button").first.wait_for()
    await is_accessible(page)
    await page.goto(booked)
    await page.get_by_text("Cancel this visit").click()
    await page.get_by_role("button", name="Yes, cancel it").click()
    await page.get_by_role("heading", name="This visit was cancelled").wait_for()
    await is_accessible(page)
    await book(await open_page("/demo"), 3, "Ben Lee")
    staff = await open_page("/demo/staff/sign-in", width=width, dark=dark)
    await send_sign_in(staff, site, ADMIN)
    await staff.goto(str(site.server.make_url("/demo/staff/calendar?view=week")))
    await staff.get_by_text("Cancel Ben Lee").click()
    await is_accessible(staff)
    someone = site.person()
    await someone.ask_for_a_visit()
    from signalling.visit.commands import Withdraw
    from web.identity.visitors import patient

    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    await site.app[SERVICE].command(patient("demo", visit.id, "Ana Ruiz"), visit.id, Withdraw())
    if width < 760:
        await staff.get_by_role("button", name="Menu").click()
    await staff.get_by_role("link", name="Reports").click()
    await expect(staff.get_by_role("heading", name="Outcomes by day")).to_be_visible()
    await is_accessible(staff)
