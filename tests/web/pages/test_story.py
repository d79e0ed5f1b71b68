"""Tests the list of past sessions, which is loaded in parts, and the history of a visit.

The history shows each person's actions and the quality of the call.
"""

import re

from playwright.async_api import Page, expect

from signalling.visit import queue_watch
from signalling.visit.notifications import TOLD
from signalling.visit.rules import DEADLINES, QUIET, RULES
from tests.web.pages.clinic import JSON, OSEI, Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.steady import stop_clock
from web.emergency import opening
from web.pages.static_files import STATIC

GOOD: JSON = {
    "party": "patient",
    "name": "Ana Ruiz",
    "connected_ms": 720_000,
    "interruptions": 0,
    "heard_lost": {"usual": 0.4, "worse": 2},
    "sent_lost": {"usual": 0, "worse": 0},
    "round_trip_ms": {"usual": 34, "worse": 120},
    "picture_kbps": {"usual": 850, "worse": 310},
}
LOSSY: JSON = GOOD | {
    "party": "provider",
    "name": OSEI["name"],
    "interruptions": 2,
    "heard_lost": None,
    "sent_lost": {"usual": 3.14, "worse": 12},
    "round_trip_ms": {"usual": 340, "worse": 900},
}


async def story(clinic: Clinic, open_page: OpenPage, *calls: JSON) -> Page:
    """Return the page with the history of an ended visit. `calls`: the quality of each party's call."""
    now = clinic.visit["arrived_ms"]
    clinic.calls = list(calls)
    clinic.past = [
        {"visit": "v_1", "name": "Ana Ruiz", "outcome": "completed", "reason": None, "claimant": OSEI,
         "arrived_ms": now, "claimed_ms": now, "ended_ms": now, "talked_ms": 720_000, "reopen_until_ms": None}
    ]  # fmt: skip
    page = await open_page("/demo/staff#past")
    await page.get_by_role("button", name="History").click()
    await expect(page.get_by_text("Dr Maya Osei ended the session.")).to_be_visible()
    return page


async def test_the_quality_of_a_call_is_shown_in_words_with_its_figures(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await story(clinic, open_page, GOOD, LOSSY)
    rows = page.get_by_role("list", name="Quality of the call").get_by_role("listitem")
    for words in ("Ana Ruiz", "Good", "Connected: 12 minutes", "0.4 %, at times 2 %", "34 ms", "850 kbit/s"):
        await expect(rows.nth(0)).to_contain_text(words)
    await expect(rows.nth(0)).not_to_contain_text("interruption")
    for words in ("Dr Maya Osei", "Some loss: 3.1 %", "from them: 3.1 %", "340 ms", "2 interruptions"):
        await expect(rows.nth(1)).to_contain_text(words)
    await expect(rows.nth(1)).not_to_contain_text("on the way to them")


async def test_the_page_shows_a_slow_call_and_a_call_without_measurements_in_words(
    clinic: Clinic, open_page: OpenPage
) -> None:
    slow = LOSSY | {"sent_lost": None}
    unknown = slow | {"round_trip_ms": None, "picture_kbps": None}
    page = await story(clinic, open_page, slow, unknown)
    rows = page.get_by_role("list", name="Quality of the call").get_by_role("listitem")
    await expect(rows.nth(0)).to_contain_text("Slow")
    await expect(rows.nth(1)).to_contain_text("Not measured")


async def test_without_a_call_the_history_says_nothing_of_quality(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await story(clinic, open_page)
    await expect(page.get_by_text("Quality of the call")).to_have_count(0)


def ended(number: int, now: int) -> JSON:
    return {
        "visit": f"v_{number}", "name": f"Patient {number}", "outcome": "expired", "reason": None, "claimant": None,
        "arrived_ms": now, "claimed_ms": None, "ended_ms": now, "talked_ms": 0, "reopen_until_ms": None,
    }  # fmt: skip


async def test_r32_a_page_goes_on_after_its_last_row_when_all_ended_at_the_same_time(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.past = [ended(number, clinic.visit["arrived_ms"]) for number in range(120)]
    page = await open_page("/demo/staff#past")
    rows = page.get_by_role("list", name="Past sessions, newest first").get_by_role("listitem")
    for shown in (50, 100):
        await expect(rows).to_have_count(shown)
        await page.get_by_role("button", name="Show more").click()
    await expect(rows).to_have_count(120)
    await expect(page.get_by_role("button", name="Show more")).to_have_count(0)


async def test_r32_a_search_that_is_still_reading_says_so_and_goes_on_by_itself(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.past = [ended(1, clinic.visit["arrived_ms"])]
    clinic.past_left = [0, 4000, 9000]
    page = await open_page("/demo/nowhere")
    await stop_clock(page)
    await page.goto(f"{clinic.url}/demo/staff#past")
    await expect(page.get_by_text("Still reading older sessions: 9000 left.")).to_be_visible()
    await expect(page.get_by_text("Nothing found")).to_have_count(0)
    await page.clock.run_for(500)
    await expect(page.get_by_text("Still reading older sessions: 4000 left.")).to_be_visible()
    await page.clock.run_for(500)
    await expect(page.get_by_role("heading", name="Patient 1")).to_be_visible()
    await expect(page.get_by_text("Still reading older sessions")).to_have_count(0)


def kinds_with_words(script: str) -> set[str]:
    """Return the kinds that have a sentence in the table SENTENCES of a script of the staff's pages."""
    text = (STATIC / "staff" / script).read_text("utf-8")
    table = text.partition("const SENTENCES = {\n")[2].partition("\n};")[0]
    return set(re.findall(r"^  (\w+): \(", table, re.MULTILINE))


def test_every_event_that_a_visits_history_may_have_is_shown_in_words() -> None:
    # These events are written to the history: `Store.commit` leaves out those in QUIET.
    kinds = {row.event for table in (RULES, DEADLINES) for row in table} - QUIET
    assert len(kinds) > 30
    assert kinds - kinds_with_words("story.js") == set()


def test_every_notification_is_shown_in_words() -> None:
    kinds = {kind for kind, _ in TOLD.values()}
    kinds |= {queue_watch.MANY, queue_watch.LONG, queue_watch.CLOSING, queue_watch.CLOSED}
    kinds |= {opening.OPENED, opening.ENDED, "off_call"}
    assert kinds - kinds_with_words("bell.js") == set()
