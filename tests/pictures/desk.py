"""Takes the pictures of the clinic's side: set-up, reports, history of a visit, notifications, kiosk.

They show a clinic that has been open for a month, with its hours and its past visits. The script writes the visits into
the store in the form that the product writes, because it cannot wait for a month.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect
from redis.asyncio import Redis

from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.record import Outcome, PatientInformation, Person, Status, Visit
from signalling.visit.relations import Event
from tests.journeys.people import Patient, Staff, on_call, person
from tests.server import RunningServer
from web.server.data_key import data_key, key_id

DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
DAYS = 30
SOMEBODY = PatientInformation(
    name="Ana Ruiz", birth_date="1990-04-02", phone="+1 512 555 0142", email="ana@example.org",
    state="TX", reason="Rash, three days", language="en",
)  # fmt: skip
PROVIDERS = (Person("u_osei", "Dr Maya Osei"), Person("u_lind", "Dr Jonas Lind"))
ENDS = (Outcome.COMPLETED,) * 8 + (Outcome.DECLINED, Outcome.WITHDRAWN)
Shoot = Callable[[Any, str], Awaitable[None]]


def month(now_ms: int) -> list[Visit]:
    """Return the ended visits of a month: fewer at week-ends, most of them late in the morning. `now_ms`: the end of
    the month.
    """
    drawn = random.Random(7)
    visits: list[Visit] = []
    for day in range(DAYS, 0, -1):
        for _ in range(drawn.randint(9, 15) if day % 7 > 1 else drawn.randint(2, 5)):
            arrived_ms = now_ms - day * 86_400_000 + round(drawn.gauss(-6, 2.4) * 3600_000)
            waited_ms = round(drawn.lognormvariate(math.log(4.5), 0.6) * 60_000)
            outcome = drawn.choice(ENDS)
            by = drawn.choice(PROVIDERS) if outcome is Outcome.COMPLETED else None
            talked_ms = round(drawn.uniform(6, 17) * 60_000) if by else 0
            visits.append(
                Visit(
                    id=f"v_month{len(visits):06}", organisation="demo", version=1, status=Status.ENDED,
                    outcome=outcome, patient=SOMEBODY, guide_version=1, steps=6, arrived_ms=arrived_ms,
                    claimed_ms=arrived_ms + waited_ms if by else None, claimant=by, talked_ms=talked_ms,
                    ended_ms=arrived_ms + waited_ms + talked_ms,
                )
            )  # fmt: skip
    return visits


def socket_of(server: RunningServer) -> str:
    """Return the path of the Unix socket of the server's own store."""
    return str(next(Path(server.data).rglob("valkey.sock")))


async def remember(server: RunningServer) -> None:
    """Write the visits of a month into the server's store."""
    key = data_key(server.data)
    async with Redis(unix_socket_path=socket_of(server)) as redis:
        store = Store(redis, Seal({key_id(key): key}))
        for visit in month(time.time_ns() // 1_000_000):
            ended = Event("ended", visit.ended_ms or 0, visit.claimant)
            await store.commit("demo", visit, ended, index_score=None)


async def clinic_side(desk: Browser, phone: Browser, provider: Staff, shoot: Shoot) -> None:
    """Take all pictures of the clinic's side.

    Two patients, Jon Bell and Mei Lin, must wait in the queue. `desk` and `phone`: browsers for people at a desk and
    with a phone. `provider`: a provider in a call, which this function ends. `shoot`: takes a picture.
    """
    server = provider.server
    admin: Staff = await person(desk, server, Staff, **DESK)
    await admin.sign_in("admin")
    await history(provider, shoot)
    await bell(desk, server, admin, shoot)
    await waiting_room(await person(phone, server, Patient, **PHONE), shoot)
    await reports(admin, shoot)
    await kiosk(desk, admin, shoot)
    await set_up(admin, shoot)


async def set_up(admin: Staff, shoot: Shoot) -> None:
    """Take a picture of the hours of the public-facing calendar, and one of the setup guide's builder
    with its preview.
    """
    page = admin.page
    await admin.go("/demo/staff/setup/calendar")
    for at, hour in (("opens", "08:30"), ("closes", "12:00")):
        await page.get_by_label(f"Monday, {at}").first.fill(hour)
    await page.get_by_label("Monday, closes").first.blur()
    for at, hour in (("opens", "13:00"), ("closes", "18:00")):
        await page.get_by_label(f"Monday, {at}").nth(1).fill(hour)
    await page.get_by_role("button", name="Monday’s hours on all weekdays").click()
    for at, hour in (("opens", "09:00"), ("closes", "13:00")):
        await page.get_by_label(f"Saturday, {at}").first.fill(hour)
        await page.get_by_label(f"Sunday, {at}").first.fill("")
    await page.get_by_label("Closed on").first.fill("2026-12-25")
    await under(page, page.get_by_role("group", name="Opening hours"))
    await shoot(admin, "opening-hours")
    await admin.go("/demo/staff/setup/guide")
    await under(page, page.locator("[data-step]").nth(1))
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("It is hard to go about my day").last.check()
    await under(page, page.locator("[data-step]").nth(1))
    await shoot(admin, "guide-builder")


async def under(page: Page, place: Any) -> None:
    """Scroll the page until an element (`place`) is near the top of the window."""
    await place.evaluate("(element) => scrollTo(0, element.getBoundingClientRect().top + scrollY - 20)")
    await page.mouse.click(2, 400)


async def reports(admin: Staff, shoot: Shoot) -> None:
    """Take a picture of the reports of a month."""
    await remember(admin.server)
    await admin.go("/demo/staff/reports")
    await admin.sees("Waits by day")
    await shoot(admin, "reports")


async def history(provider: Staff, shoot: Shoot) -> None:
    """End the visit of the provider; take a picture of its history, in dark colours."""
    page = provider.page
    await page.emulate_media(color_scheme="dark")
    await provider.press(re.compile("^End"))
    await provider.press("End session")
    await provider.sees(re.compile("has ended"))
    await provider.go("/demo/staff#past")
    await provider.press(re.compile("^History Ana Ruiz"))
    await provider.sees(re.compile("ended the session"))
    dialog = page.get_by_role("dialog")
    await dialog.evaluate("(drawer) => drawer.scrollTo(0, drawer.scrollHeight)")
    await shoot(provider, "history")
    await page.emulate_media(color_scheme="light")


async def bell(browser: Browser, server: RunningServer, admin: Staff, shoot: Shoot) -> None:
    """Take a picture of the notifications (the bell): two assignments, on a phone in dark colours."""
    lind = await on_call(browser, server, "lind", color_scheme="dark", **PHONE)
    await admin.go("/demo/staff")
    for name in ("Jon Bell", "Mei Lin"):
        await admin.press(f"Assign {name}")
        await admin.page.get_by_role("radio", name=re.compile("Lind")).check()
        await admin.confirm()
        await expect(admin.page.get_by_role("dialog")).to_have_count(0)
    await lind.press(re.compile("Notifications 2 unread"))
    await shoot(lind, "bell")
    await lind.page.context.close()


async def kiosk(browser: Browser, admin: Staff, shoot: Shoot) -> None:
    """Take a picture of a facility's kiosk with two patients in the queue."""
    page = admin.page
    await admin.go("/demo/staff/setup/facilities")
    await page.get_by_label("Name of the facility").fill("Ward 3")
    await page.get_by_role("button", name="Make its link").click()
    link = await page.locator("code.secret").first.inner_text()
    ward: Patient = await person(browser, admin.server, Patient, **DESK)
    await ward.page.goto(link)
    for name in ("Ida Berg", "Omar Said"):
        for label, text in (
            ("Full name", name),
            ("Date of birth", "1990-04-02"),
            ("Phone", "512 555 0142"),
            ("Email", "ward@example.org"),
            ("Reason for the visit", "Wound check"),
        ):
            await ward.page.get_by_label(label, exact=True).fill(text)
        await ward.page.get_by_label("Where is the patient now?").select_option("TX")
        await ward.page.get_by_label("Preferred language").select_option("en")
        await ward.press("Place in line")
        await ward.sees(name[0] + ". " + name.split()[1][0] + ".")
    await ward.page.evaluate("scrollTo(0, 0)")
    await shoot(ward, "kiosk")
    await ward.page.context.close()


async def waiting_room(patient: Patient, shoot: Shoot) -> None:
    """Let the patient finish the setup guide; take a picture of the waiting room, in dark colours."""
    page = patient.page
    await page.emulate_media(color_scheme="dark")
    await patient.meet_now(name="Lea Novak")
    for number in range(1, 7):
        await patient.sees(f"Step {number} of 6")
        for field in await page.locator(
            "main input:not([type=radio], [type=checkbox], [type=date]), main textarea"
        ).all():
            await field.fill("Lea Novak")
        for choice in await page.locator("main [type=checkbox], main [type=radio]").all():
            await choice.check()
        await patient.press(re.compile("^(Next|Finish)$"))
    await patient.sees(re.compile("in line since"))
    await shoot(patient, "waiting-room")
