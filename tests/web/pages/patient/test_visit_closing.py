"""Tests the notice about closing time on the page of a waiting patient."""

import re
import time

from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage

NEXT_MS = round(time.mktime((2026, 12, 1, 10, 0, 0, 0, 0, -1)) * 1000)
"""December 1, 10:00 in the time zone of this machine. The browsers of the tests use the same time zone."""


async def test_f18_a_waiting_patient_reads_of_closing_time_and_may_stay_leave_or_book(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    closing = {"at_ms": int(time.time() * 1000), "over": False, "rule": "ask"}
    clinic.place |= {"closing": closing}
    page = await open_page("/demo/visit")
    notice = page.get_by_role("status").filter(has_text="The clinic closes at")
    await expect(notice).to_contain_text("If you still wait then, you can stay or leave.")
    await expect(notice.get_by_role("link", name="Book a time")).to_have_attribute(
        "href", "/demo/appointments"
    )
    await expect(notice).not_to_contain_text("you can book")
    await clinic.until(lambda: clinic.got("visit.enter"))
    over = {"type": "place.state", "epoch": "e_1", **clinic.place, "closing": {**closing, "over": True}}
    clinic.next_time_ms = NEXT_MS
    await clinic.push("place/v_1", over)
    notice = page.get_by_role("status").filter(has_text="The clinic is closed.")
    # The closing time of the last hours is not named: the clinic may have closed earlier, for the rest of a day.
    await expect(notice).to_contain_text("Do you want to stay?")
    await expect(notice).to_contain_text(re.compile(r"The next time that you can book is Dec 1, 10:00\sAM\."))
    await notice.get_by_role("button", name="Leave the line").click()
    await page.get_by_role("dialog", name="Leave the line?").get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", name="You have left the line")).to_be_visible()
