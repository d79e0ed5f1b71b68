"""Tests every page with axe (WCAG 2.2 AA), and every state of the pages that scripts draw.

Each page is tested 320 px wide and dark, in Arabic, which runs from right to left. `make test-long` also tests each
page wide and light, in Spanish: this needs as much CPU as the first test, and seldom finds another fault.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.pages.clinic import LIND, OSEI, PHOTO, Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.steady import device_check
from tests.words import speaking

AXE = (Path(__file__).parents[2] / "vendor/axe-core/axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PICTURE = Path(__file__).parents[2] / "pictures/bell.png"
WIDE, NARROW = (1280, False), (320, True)
"""(the width of a page in px, whether it is dark)."""
LOOKS = [pytest.param(*WIDE, marks=pytest.mark.long), NARROW]
READERS = [pytest.param(*WIDE, "es", marks=pytest.mark.long), (*NARROW, "ar")]


async def is_accessible(page: Page) -> None:
    """Fail if axe reports a violation, or if the page is wider than its window. First wait until the page is loaded."""
    await page.wait_for_load_state()
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{page.url} is {wider} px too wide"
    # Chromium's DevTools protocol (CDP) puts axe into the page, because the page's Content-Security-Policy
    # allows only the server's own scripts.
    cdp = await page.context.new_cdp_session(page)
    there = await cdp.send("Runtime.evaluate", {"expression": "'axe' in globalThis"})
    if not there["result"]["value"]:
        await cdp.send("Runtime.evaluate", {"expression": AXE})
    how = json.dumps({"runOnly": TAGS, "resultTypes": ["violations"]})
    run = f"axe.run(document, {how}).then((found) => JSON.stringify(found.violations))"
    answer = await cdp.send("Runtime.evaluate", {"expression": run, "awaitPromise": True})
    await cdp.detach()
    violations: list[dict[str, Any]] = json.loads(answer["result"]["value"])
    told = [
        f"{violation['id']}: {node['html'][:140]} — {node['failureSummary'][:260]}"
        for violation in violations
        for node in violation["nodes"][:4]
    ]
    assert not told, "\n".join(told)


@pytest.mark.parametrize(("width", "dark", "language"), READERS)
async def test_the_public_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool, language: str
) -> None:
    clinic.contexts["/demo/staff/sign-in"] = {"error": "Email or password is wrong."}
    page = await open_page(f"/demo?lang={language}", width=width, dark=dark)
    for path in ("/demo", "/demo/information", "/demo/staff/sign-in", "/demo/nowhere"):
        await page.goto(f"{clinic.url}{path}?lang={language}")
        await is_accessible(page)


@pytest.mark.parametrize(("width", "dark", "language"), READERS)
async def test_the_patients_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool, language: str
) -> None:
    say = speaking(language)
    page = await open_page(f"/demo/visit?lang={language}", width=width, dark=dark)
    await page.get_by_text(say("You are second in line")).wait_for()
    for step in clinic.case["steps"]:
        await page.goto(f"{clinic.url}/demo/visit?lang={language}#{step['id']}")
        await page.get_by_role("heading", level=1, name=step["title"]).wait_for()
        if step["kind"] == "device_check":
            await device_check(page)
        if step["kind"] in ("choice", "consent"):
            await page.get_by_role("button", name=say("Next")).click()
            await page.locator(".wrong").wait_for()
        await is_accessible(page)
    clinic.case |= {
        "guide_done": True,
        "answers": {"devices": {"camera": "denied", "microphone": "on", "network": "good"}},
        "photos": [PHOTO, {**PHOTO, "id": "p_2", "text": ""}],
    }
    clinic.place |= {"closing": {"at_ms": int(time.time() * 1000), "over": True, "rule": "ask"}}
    await clinic.tell_case()
    await page.goto(f"{clinic.url}/demo/visit?lang={language}")
    await page.get_by_role("heading", name=say("You are second in line")).wait_for()
    await is_accessible(page)
    await page.get_by_label(say("Add a photo")).set_input_files(PICTURE)
    await page.get_by_role("dialog", name=say("Send this photo?")).wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name=say("Cancel")).click()
    await clinic.claimed_by()
    await page.get_by_label(say("Camera")).wait_for()
    await is_accessible(page)
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await page.get_by_role("button", name=say("Leave the call")).wait_for()
    await is_accessible(page)
    await clinic.becomes(status="ended", outcome="completed")
    await page.get_by_role("group", name="How was your visit?").wait_for()
    await is_accessible(page)
    await clinic.becomes(
        status="ended", outcome="declined", reason="Please come in: this needs an examination."
    )
    await page.get_by_text("Please come in").wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark", "language"), READERS)
async def test_the_staffs_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool, language: str
) -> None:
    say = speaking(language)
    clinic.row("v_2", "Jon Bell", 1_900, online=False, away_since_ms=1, returned=1)
    clinic.row("v_3", "Mei Lin", 700, guide_done=True, assignee=LIND, filled_in_by="Hua Lin, daughter")
    clinic.row("v_1", "Ana Ruiz", 60, language="es")
    clinic.limits |= {"closing": {"": {"at_ms": int(time.time() * 1000), "over": True, "rule": "ask"}}}
    clinic.case |= {"answers": {"allergies": "Penicill"}, "typing": "allergies", "photos": [PHOTO]}
    page = await open_page(f"/demo/staff?lang={language}", width=width, dark=dark)
    await page.get_by_text(say("You are off call.")).wait_for()
    await is_accessible(page)
    await page.get_by_role("switch", name=say("On-Call")).click()
    await page.get_by_role("button", name=say("Case Information of {name}", name="Ana Ruiz")).click()
    await page.get_by_text(say("being filled in")).wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name=say("Claim {name}", name="Ana Ruiz")).click()
    await page.get_by_label(say("Camera")).wait_for()
    await is_accessible(page)
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await page.get_by_role("button", name=say("End"), exact=True).click()
    await page.get_by_role("dialog", name=say("End the session?")).wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark", "language"), READERS)
async def test_the_desks_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool, language: str
) -> None:
    say = speaking(language)
    now = int(time.time() * 1000)
    clinic.row("v_1", "Ana Ruiz", 60, language="es", facility="Lakeside School")
    note = {
        "id": "n_1",
        "kind": "assigned",
        "at_ms": now,
        "visit": "v_1",
        "name": "Ana Ruiz",
        "by": "Robin Hale",
    }
    clinic.notices, clinic.unread = (
        [{**note, "note": None}, {**note, "id": "n_2", "kind": "declined", "note": "No."}],
        1,
    )
    taken = {
        "visit": "v_8",
        "name": "Mei Lin",
        "arrived_ms": now,
        "claimed_ms": now,
        "live_ms": now,
        "status": "live",
    }
    contact = {"channel": "mail", "state": "failed", "at_ms": now}
    clinic.taken = [{**taken, "claimant": OSEI, "present": ["patient"], "contacts": [contact]}]
    over = {
        "visit": "v_9",
        "name": "Jon Bell",
        "outcome": "declined",
        "reason": "Please come in.",
        "claimant": OSEI,
        "tags": ["Follow-up"],
    }
    clinic.past = [
        {
            **over,
            "arrived_ms": now,
            "claimed_ms": now,
            "ended_ms": now,
            "talked_ms": 90_000,
            "reopen_until_ms": None,
        }
    ]
    page = await open_page(f"/demo/staff?lang={language}", width=width, dark=dark)
    await page.get_by_role("switch", name=say("On-Call")).click()
    await page.get_by_label(say("More for {name}", name="Ana Ruiz")).click()
    await page.get_by_role("button", name=say("Send a message")).wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name=say("Send a message")).click()
    await page.get_by_role("dialog", name=say("Message to {name}", name="Ana Ruiz")).wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name=say("Close")).click()
    await page.get_by_role("button", name=f"{say('Notifications')} 1 {say('unread')}").click()
    await page.get_by_role("dialog", name=say("Notifications")).wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name=say("Close")).click()
    for tab, shown in ((say("Mine"), "Mei Lin"), (say("Live now"), "Mei Lin"), (say("Past"), "Jon Bell")):
        await page.get_by_role("link", name=tab).click()
        await page.get_by_role("heading", name=shown).wait_for()
        await is_accessible(page)
    await page.get_by_role("button", name=f"{say('Tags…')} Jon Bell").click()
    dialog = page.get_by_role("dialog", name=say("Tags of {name}", name="Jon Bell"))
    await dialog.get_by_label("Follow-up").uncheck()
    await dialog.get_by_label("Billing").check()
    await is_accessible(page)
    await dialog.get_by_role("button", name=say("Save")).click()
    await page.get_by_role("listitem").filter(has_text="Jon Bell").get_by_text("Billing").wait_for()
    assert [(m["visit"], m["tags"]) for m in clinic.got("visit.tag")] == [("v_9", ["Billing"])]
    await page.get_by_role("button", name=f"{say('History')} Jon Bell").click()
    await page.get_by_role("dialog").get_by_text(say("{by} ended the session.", by=OSEI["name"])).wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark", "language"), READERS)
async def test_messages_are_accessible_on_both_sides(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool, language: str
) -> None:
    say = speaking(language)
    line = {
        "id": "m_1",
        "at_ms": int(time.time() * 1000),
        "party": "staff",
        "name": "Robin Hale",
        "text": "Your pen, please.",
    }
    clinic.lines = [
        line,
        {**line, "id": "m_2", "party": "patient", "name": "Ana Ruiz", "text": "Here it is."},
    ]
    page = await open_page(f"/demo/visit?lang={language}", width=width, dark=dark)
    await page.get_by_text("Your pen, please.").wait_for()
    await is_accessible(page)
    await clinic.claimed_by()
    await page.get_by_role("button", name=say("Messages")).click()
    await page.get_by_text("Here it is.").wait_for()
    await is_accessible(page)


async def test_with_letters_of_twice_the_size_no_page_is_too_wide_and_nothing_lies_over_its_head(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo", width=390, height=844)

    async def fits() -> None:
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{page.url} is {wider} px too wide"
        skip = await page.locator(".skip").bounding_box()
        assert skip is not None
        assert skip["y"] + skip["height"] <= 0, "the skip link is shown without the focus"

    for path in ("/demo", "/demo/information", "/demo/staff/sign-in", "/demo/staff", "/demo/visit"):
        await page.goto(clinic.url + path)
        await page.get_by_role("heading", level=1).wait_for()
        await fits()
    await clinic.claimed_by()
    await page.get_by_label("Camera").wait_for()
    await fits()
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await page.get_by_role("button", name="Leave the call").wait_for()
    await fits()
