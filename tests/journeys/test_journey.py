"""Tests a visit from Meet Now until two people see and hear each other, in real browsers, over our own relay."""

from __future__ import annotations

import asyncio
import re
import urllib.request

from playwright.async_api import Browser, expect

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.journeys.people import Patient, Staff, on_call, person, see_and_hear
from tests.journeys.wire import counted
from tests.server import RunningServer
from tests.signalling.waits import until

FIRST_VISIT_BYTES, SECOND_VISIT_BYTES = 80 * 1024, 10 * 1024
"""The greatest number of bytes that a patient's browser may receive, from the calendar until the waiting
room: in the first visit, and in a later one. Headers, pages, files and WebSocket frames count.
"""
ARABIC_BYTES = 84 * 1024
"""The same for the first visit of a person who reads Arabic, whose texts are the longest of all languages."""
SCRAPER = "a token for Prometheus"
PHONE = {"viewport": {"width": 390, "height": 844}}


async def test_a_patient_meets_a_provider(browser: Browser, greenroom_server: StartServer) -> None:
    server = greenroom_server(workers=2, metrics={"token": SCRAPER})
    provider = await on_call(browser, server)
    await provider.sees("Nobody is waiting")
    patient: Patient = await person(browser, server, Patient, **PHONE)
    await patient.meet_now()
    # The patient is in the queue from the first page of the setup guide on, and staff see each letter that is typed.
    await provider.sees("Ana Ruiz")
    await provider.sees("Rash, three days")
    await patient.other_worker(than=provider.worker)
    assert patient.worker != provider.worker
    await provider.press("Case Information")
    await patient.page.locator("main input[type=date]").fill("2026-11-20")
    await provider.sees(re.compile(r"November 20, 2026|2026-11-20|Nov 20"))
    await patient.press("Next")
    await patient.sees(re.compile(r"Step 2 of \d"))
    await provider.sees(re.compile(r"Step 2 of \d"))
    # After the claim, the patient's page shows the session without a reload or a click.
    await patient.page.evaluate("window.__same = true")
    await provider.claim()
    await patient.sees("Start Session", timeout_ms=SHOWN_MS)
    assert await patient.page.evaluate("window.__same === true")
    await provider.page.wait_for_url("**/staff/visits/**")
    await patient.sees(re.compile("Maya Osei is here"))
    await provider.sees(re.compile("Ana Ruiz is here"))
    # As long as only one person has pressed Start Session, no media is forwarded.
    await provider.press("Start Session")
    await patient.sees(re.compile("Has pressed Start Session", re.IGNORECASE))
    await asyncio.sleep(1)
    for side in (patient, provider):
        seen = await side.received()
        assert (seen["frames"], seen["videoBytes"], seen["audioBytes"]) == (0, 0, 0)
    await patient.sees(re.compile("Connected|Connection good"))
    await patient.press("Start Session")
    await expect(patient.page.locator(".announcer")).to_contain_text("You see and hear each other.")
    await see_and_hear(patient, provider)
    # The provider sees a photo of the patient beside Case Information at once.
    await patient.press("Setup guide")
    await patient.adds_photo("My left arm")
    await provider.sees(re.compile("added a photo"))
    await provider.sees_photo("My left arm")
    # A reload ends nothing, and nobody has to press Start Session again.
    await patient.page.reload()
    await see_and_hear(patient, provider)
    # The patient leaves the call and joins it again.
    await patient.press(re.compile("Leave"))
    await provider.sees("Ana Ruiz has left the call")
    await provider.receives_nothing_more()
    await patient.press("Rejoin")
    await see_and_hear(patient, provider)
    # The provider ends the visit for both people.
    await provider.press(re.compile("^End"))
    await provider.confirm()
    await patient.sees(re.compile("Maya Osei"))
    await expect(patient.page.locator("video:visible")).to_have_count(0, timeout=SHOWN_MS)
    assert [*patient.problems, *provider.problems] == []
    scraped = await _scraped_after(
        server, "greenroom_visits_ended_total", "greenroom_first_picture_seconds_count"
    )
    for canary in (
        "Ana",
        "Ruiz",
        "512 555",
        "5550142",
        "Rash",
        "left arm",
        "ana@example.org",
        "Osei",
        "demo",
    ):
        assert canary not in scraped, "a person or an organisation in the metrics"
        assert canary in ("Osei", "demo") or canary not in server.log, "patient data in the log"
    assert provider.page.url.rpartition("/")[2] not in scraped, "a visit in the metrics"


async def _scraped_after(server: RunningServer, *counted: str) -> str:
    """Return the server's metrics as soon as they contain all these texts. `counted`: the texts."""
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {SCRAPER}"})
    found = ""

    async def complete() -> bool:
        nonlocal found
        with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
            found = answer.read().decode()
        return all(re.search(rf"^{name}{{[^}}]*}} [1-9]", found, re.MULTILINE) for name in counted)

    await until(complete)
    assert 'worker="0"' in found
    assert 'worker="1"' in found
    return found


async def test_a_closed_tab_keeps_the_place_and_every_answer(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    async with counted(server.url) as wire:
        server.url = wire.url
        patient: Patient = await person(browser, server, Patient, **PHONE)
        await patient.meet_now()
        await patient.page.locator("main input[type=date]").fill("2026-11-20")
        await patient.press("Next")
        await patient.sees(re.compile(r"Step 2 of \d"))
        context = patient.page.context
        await patient.page.close()
        assert wire.down <= FIRST_VISIT_BYTES
        wire.down = wire.up = 0
        again = Patient(await context.new_page(), server)
        await again.go("/demo")
        await again.page.get_by_role("link", name=re.compile("Return to your visit")).click()
        await again.sees(re.compile(r"Step 2 of \d"))
        assert wire.down <= SECOND_VISIT_BYTES
        await _goes_back(again)


async def test_a_patient_who_reads_arabic_receives_few_bytes_until_the_setup_guide(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    async with counted(server.url) as wire:
        server.url = wire.url
        patient: Patient = await person(browser, server, Patient, locale="ar-EG", **PHONE)
        await patient.go("/demo")
        await patient.page.locator("a[href*='/information']").first.click()
        await patient.fills_in()
        await patient.page.locator("main form button").last.click()
        await patient.page.locator("main input[type=date]").wait_for()
        assert await patient.page.evaluate("document.documentElement.lang") == "ar"
        assert wire.down <= ARABIC_BYTES


async def test_a_patient_who_left_the_line_gets_in_line_again_in_the_same_tab(
    browser: Browser, greenroom_server: StartServer
) -> None:
    patient: Patient = await person(browser, greenroom_server(), Patient, **PHONE)
    await patient.meet_now()
    await patient.press("Leave the line")
    await patient.confirm()
    await patient.sees("You have left the line")
    assert (await patient.page.title()).startswith("You have left the line")
    await patient.page.get_by_role("link", name=re.compile("^Back to")).click()
    await patient.gets_in_line()


async def _goes_back(again: Patient) -> None:
    await again.page.go_back()
    await again.go("/demo/visit#since")
    await again.page.reload()
    await expect(again.page.locator("main input[type=date]")).to_have_value("2026-11-20")


async def test_a_lost_claim_says_who_has_it(browser: Browser, greenroom_server: StartServer) -> None:
    server = greenroom_server(workers=2)
    first: Staff = await person(browser, server, Staff)
    second: Staff = await person(browser, server, Staff)
    for staff, who in ((first, "osei"), (second, "lind")):
        await staff.sign_in(who)
        await staff.go_on_call()
    patient: Patient = await person(browser, server, Patient, **PHONE)
    await patient.meet_now()
    for staff in (first, second):
        await staff.sees("Ana Ruiz")
    # Both providers press Claim at the same moment. The store decides who gets the patient.
    buttons = [staff.page.get_by_role("button", name=re.compile("Claim")).first for staff in (first, second)]
    await asyncio.gather(*(button.evaluate("button => button.click()") for button in buttons))
    await patient.sees("Start Session")
    await until(lambda: any("/visits/" in staff.page.url for staff in (first, second)))
    (winner,) = (staff for staff in (first, second) if "/visits/" in staff.page.url)
    loser, name = (second, "Maya Osei") if winner is first else (first, "Jonas Lind")
    await loser.sees(re.compile(f"{name} (has|claimed)"))
    await loser.sees("Nobody is waiting")


async def test_a_patient_without_camera_and_microphone_can_still_be_seen_to_be_there(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    provider = await on_call(browser, server)
    patient: Patient = await person(browser, server, Patient, **PHONE)
    await patient.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none', 'NotFoundError') };"
    )
    await patient.meet_now()
    await provider.claim()
    await patient.sees(re.compile("camera", re.IGNORECASE))
    await patient.press("Start Session")
    await provider.press("Start Session")
    await patient.sees_picture(5)
    assert patient.problems == []
