"""Tests every page and every state of the live pages with axe (WCAG 2.2 AA): light and dark, 320 px and wide."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.pages.clinic import LIND, OSEI, PHOTO, Clinic
from tests.web.pages.conftest import OpenPage

AXE = (Path(__file__).parents[2] / "vendor/axe-core/axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PICTURE = Path(__file__).parents[2] / "pictures/bell.png"
LOOKS = [(1280, False), (320, True)]


async def is_accessible(page: Page) -> None:
    """Fail if axe reports a violation, or if the page is wider than its window."""
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{page.url} is {wider} px too wide"
    cdp = await page.context.new_cdp_session(page)  # the page's own policy allows no foreign script
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


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_public_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
    clinic.contexts["/demo/staff/sign-in"] = {"error": "Email or password is wrong."}
    page = await open_page("/demo", width=width, dark=dark)
    for path in ("/demo", "/demo/information", "/demo/staff/sign-in", "/demo/nowhere"):
        await page.goto(clinic.url + path)
        await is_accessible(page)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_patients_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = await open_page("/demo/visit", width=width, dark=dark)
    for step in clinic.case["steps"]:
        await page.goto(f"{clinic.url}/demo/visit#{step['id']}")
        await page.get_by_role("heading", level=1, name=step["title"]).wait_for()
        if step["kind"] in ("choice", "consent"):
            await page.get_by_role("button", name="Next").click()
            await page.locator(".wrong").wait_for()
        await is_accessible(page)
    clinic.case |= {
        "guide_done": True,
        "answers": {"devices": {"camera": "denied", "microphone": "on", "network": "good"}},
        "photos": [PHOTO, {**PHOTO, "id": "p_2", "text": ""}],
    }
    await clinic.tell_case()
    await page.goto(f"{clinic.url}/demo/visit")
    await page.get_by_role("heading", name="You are second in line").wait_for()
    await is_accessible(page)
    await page.get_by_label("Add a photo").set_input_files(PICTURE)
    await page.get_by_role("dialog", name="Send this photo?").wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name="Cancel").click()
    await clinic.claimed_by()
    await page.get_by_label("Camera").wait_for()
    await is_accessible(page)
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await page.get_by_role("button", name="Leave the call").wait_for()
    await is_accessible(page)
    await clinic.becomes(
        status="ended", outcome="declined", reason="Please come in: this needs an examination."
    )
    await page.get_by_text("Please come in").wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_staffs_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
    clinic.row("v_2", "Jon Bell", 1_900, online=False, away_since_ms=1, returned=1)
    clinic.row("v_3", "Mei Lin", 700, guide_done=True, assignee=LIND, filled_in_by="Hua Lin, daughter")
    clinic.row("v_1", "Ana Ruiz", 60, language="es")
    clinic.case |= {"answers": {"allergies": "Penicill"}, "typing": "allergies", "photos": [PHOTO]}
    page = await open_page("/demo/staff", width=width, dark=dark)
    await page.get_by_text("You are off call").wait_for()
    await is_accessible(page)
    await page.get_by_role("switch", name="On-Call").click()
    await page.get_by_role("button", name="Case Information of Ana Ruiz").click()
    await page.get_by_text("being filled in").wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await page.get_by_label("Camera").wait_for()
    await is_accessible(page)
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("dialog", name="End the session?").wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_desks_pages_are_accessible(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
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
        "claimant": LIND,
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
    page = await open_page("/demo/staff", width=width, dark=dark)
    await page.get_by_role("switch", name="On-Call").click()
    await page.get_by_label("More for Ana Ruiz").click()
    await page.get_by_role("button", name="Send a message").wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name="Send a message").click()
    await page.get_by_role("dialog", name="Message to Ana Ruiz").wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Notifications 1 unread").click()
    await page.get_by_role("dialog", name="Notifications").wait_for()
    await is_accessible(page)
    await page.get_by_role("button", name="Close").click()
    for tab, shown in (("Mine", "Mei Lin"), ("Live now", "Mei Lin"), ("Past", "Jon Bell")):
        await page.get_by_role("link", name=tab).click()
        await page.get_by_role("heading", name=shown).wait_for()
        await is_accessible(page)
    await page.get_by_role("button", name="History Jon Bell").click()
    await page.get_by_role("dialog").get_by_text("ended the session").wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_messages_are_accessible_on_both_sides(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
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
    page = await open_page("/demo/visit", width=width, dark=dark)
    await page.get_by_text("Your pen, please.").wait_for()
    await is_accessible(page)
    await clinic.claimed_by()
    await page.get_by_role("button", name="Messages").click()
    await page.get_by_text("Here it is.").wait_for()
    await is_accessible(page)
