"""Tests the pages of the staff in real browsers: an admin, two providers and a patient, connected to two
workers."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.journeys.people import Patient, Staff, person

PHONE = {"viewport": {"width": 390, "height": 844}}


async def more(who: Staff, entry: str) -> None:
    """Open the menu of the list's first row, or of the session if that is open, and press `entry` in it."""
    await who.page.locator("details.more summary").locator("visible=true").first.click(timeout=SHOWN_MS)
    await who.press(entry)


async def test_an_admin_assigns_and_the_provider_finds_it_under_the_bell(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server(workers=2)
    admin: Staff = await person(browser, server, Staff)
    provider: Staff = await person(browser, server, Staff)
    await admin.sign_in("admin")
    await provider.sign_in("osei")
    await provider.go_on_call()
    patient: Patient = await person(browser, server, Patient, **PHONE)
    await patient.meet_now()
    await admin.sees("Ana Ruiz")

    await more(admin, "Send a message")
    await admin.page.get_by_role("textbox", name="Message").fill("Please have your pen beside you.")
    await admin.press("Send")
    await patient.sees("Please have your pen beside you.")
    await admin.press("Close")

    await admin.press("Assign Ana Ruiz")
    await expect(admin.page.get_by_role("radio", name=re.compile("Maya Osei.*free"))).to_be_checked()
    await admin.confirm()
    await provider.sees(re.compile("Robin Hale assigned Ana Ruiz to you"))
    await provider.sees("For you")
    await provider.press(re.compile("Notifications 1 unread"))
    await provider.press("Close")
    await expect(provider.page.get_by_role("button", name="Notifications")).to_be_visible(timeout=SHOWN_MS)

    await provider.claim()
    await patient.sees("Start Session")
    await admin.page.get_by_role("link", name=re.compile("Live now")).click()
    await admin.sees("Claimed")
    for side in (provider, patient):
        await side.press("Start Session")
    await provider.sees_and_hears()
    await admin.sees("Live")

    await provider.press(re.compile("^Messages"))
    await provider.page.get_by_role("textbox", name="Your message").fill("Can you show me your arm?")
    await provider.press("Send")
    await patient.press(re.compile("^Messages"))
    await patient.sees("Can you show me your arm?")
    await patient.page.get_by_role("textbox", name="Your message").fill("Here it is.")
    await patient.press("Send")
    await provider.sees("Here it is.")

    await provider.press(re.compile("^End"))
    await provider.confirm()
    await provider.page.get_by_role("link", name=re.compile("Back to On-Demand")).click()
    await provider.page.get_by_role("link", name="Past").click()
    await provider.sees("Completed")
    await provider.press(re.compile("History"))
    for line in (
        "Ana Ruiz entered the setup guide",
        "Robin Hale assigned it",
        "Dr Maya Osei ended the session",
    ):
        await provider.sees(re.compile(line))
    await provider.press("Close")
    await provider.press(re.compile("Reopen"))
    await patient.sees("Start Session")
    assert [*admin.problems, *provider.problems, *patient.problems] == []


async def test_f36_a_declined_patient_reads_why_and_a_visit_handed_over_is_claimed_by_the_colleague(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server(workers=2)
    admin: Staff = await person(browser, server, Staff)
    await admin.sign_in("admin")
    first: Staff = await person(browser, server, Staff)
    second: Staff = await person(browser, server, Staff)
    for staff, who in ((first, "osei"), (second, "lind")):
        await staff.sign_in(who)
        await staff.go_on_call()
    declined: Patient = await person(browser, server, Patient, **PHONE)
    await declined.meet_now(name="Jon Bell")
    await admin.sees("Jon Bell")
    await admin.press("Decline Jon Bell")
    await admin.page.get_by_label(re.compile("Reason for the patient")).fill(
        "Please see your dentist for this."
    )
    await admin.confirm()
    bell = admin.page.get_by_role("button", name="Notifications 1 unread")
    await expect(bell).to_be_visible()
    await expect(admin.page.locator(".toast")).to_have_count(0)
    await bell.click()
    await expect(admin.page.get_by_role("dialog")).to_contain_text("Robin Hale declined Jon Bell.")
    await admin.press("Close")
    await declined.sees("Please see your dentist for this.")
    await first.sees("Nobody is waiting")

    patient: Patient = await person(browser, server, Patient, **PHONE)
    await patient.meet_now()
    await first.claim()
    await patient.sees("Start Session")
    await more(first, "Hand over…")
    await first.press("Hand over")
    await second.sees(re.compile("Dr Maya Osei handed Ana Ruiz over"))
    await patient.sees(re.compile(r"Step 1 of \d"))
    await second.claim()
    await patient.sees(re.compile("Jonas Lind is here"))
    assert [*admin.problems, *first.problems, *second.problems, *patient.problems] == []
