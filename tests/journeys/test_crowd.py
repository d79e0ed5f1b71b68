"""Tests On-Demand Requests with five hundred waiting patients: the list opens at once, and a change redraws only its
row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from playwright.async_api import Browser, Page
from redis.asyncio import Redis

from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.commands import Command, Open, Save
from signalling.visit.record import Actor, PatientInformation, Role, Status, Visit
from signalling.visit.relations import Context, Decided
from signalling.visit.rules import decide, next_deadline_ms
from signalling.visit.setup_guide import Guide, Kind
from tests.conftest import StartServer
from tests.journeys.people import on_call
from web.organisations import demo
from web.server.data_key import data_key, key_id

CROWD = (Path(__file__).with_name("crowd.js")).read_text("utf-8")
WAITING = 500
LOADS = 3
CHANGES_S, SECONDS = 50, 2
SEARCHES = (
    ("text", "0", WAITING),
    ("text", "07", 15),
    ("text", "", WAITING),
    ("urgency", "emergency", 0),
    ("urgency", "", WAITING),
    ("order", "newest", WAITING),
    ("order", "", WAITING),
)
"""Searches in the list: (the field, the value to type or choose, the number of rows that are shown then)."""


class Crowd:
    """Patients without browsers. The product's rules make their visits, and its `Store` writes them."""

    def __init__(self, redis: Redis, folder: Path) -> None:
        key = data_key(folder)
        self._store = Store(redis, Seal({key_id(key): key}))
        self._guide: Guide = demo.ORGANISATION.guide
        self._step = next(step.id for step in self._guide.steps if step.kind is Kind.TEXT)
        self._visits: dict[str, Visit] = {}

    async def arrive(self, number: int) -> None:
        """Add `number` patients to the queue."""
        await self._store.keep_guide(demo.ID, self._guide)
        for start in range(0, number, 50):
            some = range(start, min(start + 50, number))
            await asyncio.gather(*(self._arrive(f"v_crowd{at:04}", f"Patient {at:03}") for at in some))

    async def _arrive(self, visit_id: str, name: str) -> None:
        who = PatientInformation(
            name=name,
            birth_date="1990-04-02",
            phone="+1 512 555 0142",
            email="patient@example.org",
            state="TX",
            reason="Rash on the left forearm, for three days",
            language="en",
        )
        await self._do(visit_id, name, Open(visit_id, who))

    async def answer(self, turn: int) -> str:
        """Let a patient answer a step of the setup guide, so that their row changes; return the visit's id.

        `turn`: a number that chooses the patient; another number chooses another patient.
        """
        visit = self._visits[f"v_crowd{turn * 7 % len(self._visits):04}"]
        await self._do(visit.id, visit.patient.name, Save(self._step, f"Penicillin {turn}", left=True))
        return visit.id

    def arrived_ms(self, visit_id: str) -> int:
        """Return when a patient arrived, in ms since 1970."""
        return self._visits[visit_id].arrived_ms

    async def _do(self, visit_id: str, name: str, command: Command) -> None:
        before = self._visits.get(visit_id)
        policy = demo.ORGANISATION.policy
        _, now_ms = await self._store.load(demo.ID, Visit, visit_id)
        actor = Actor(
            organisation=demo.ID, id=f"patient:{visit_id}", name=name, role=Role.PATIENT, visit=visit_id
        )
        decided = decide(before, command, actor, Context(now_ms=now_ms, policy=policy, guide=self._guide))
        assert isinstance(decided, Decided)
        after = decided.visit
        if decided.event is not None:
            assert after.status is Status.QUEUED
            due_ms = next_deadline_ms(after, policy)
            committed = await self._store.commit(
                demo.ID, after, decided.event, index_score=after.arrived_ms, deadline_ms=due_ms
            )
            assert committed is not None
        self._visits[visit_id] = after


async def searched(page: Page, crowd: Crowd) -> dict[str, float]:
    """Search, filter and order the list of a page several times, with the patients of `crowd`.

    Return search -> the median time in ms until the list was painted. Fail if a search builds a row that the page has.
    """
    times: dict[str, list[float]] = {}
    queue = await page.evaluate("crowd.rows()")
    newest = sorted(queue, key=crowd.arrived_ms, reverse=True)
    shows = "([count, order]) => crowd.shows(count, order)"
    for _ in range(5):
        await page.evaluate("crowd.mark()")
        for field, value, count in SEARCHES:
            ms = await page.evaluate("([field, value]) => crowd.write(field, value)", [field, value])
            times.setdefault(f"{field}={value}", []).append(ms)
            await page.wait_for_function(shows, arg=[count, newest if value == "newest" else queue])
        assert await page.evaluate("crowd.built()") == 0, "rows that show again are not built"
        await page.evaluate("crowd.build()")
        await page.wait_for_function(shows, arg=[WAITING, queue])
        assert await page.evaluate("crowd.built()") == WAITING
    return {done: median(found) for done, found in times.items()}


@pytest.mark.long
async def test_five_hundred_waiting_patients_open_at_once_and_only_rows_that_change_are_drawn(
    browser: Browser,
    greenroom_server: StartServer,
    valkey_url: str,
    valkey: Redis,
    record_property: Callable[[str, object], None],
) -> None:
    server = greenroom_server(workers=1, redis={"url": valkey_url})
    crowd = Crowd(valkey, server.data)
    await crowd.arrive(WAITING)
    staff = await on_call(browser, server)
    await staff.page.context.add_init_script(CROWD)
    opened_ms = []
    for _ in range(LOADS):
        await staff.go("/demo/staff")
        opened_ms.append(await staff.page.evaluate("crowd.opened"))
    record_property("requests_opened_ms", opened_ms)
    found_ms = await searched(staff.page, crowd)
    record_property("requests_search_to_paint_ms", max(found_ms.values()))

    await staff.page.evaluate("crowd.watch()")
    began_s, answered = time.monotonic(), set()
    for turn in range(CHANGES_S * SECONDS):
        answered.add(await crowd.answer(turn))
        await asyncio.sleep(max(0.0, began_s + (turn + 1) / CHANGES_S - time.monotonic()))
    await staff.page.evaluate("count => crowd.until(count)", len(answered))
    seen = await staff.page.evaluate("crowd.seen()")
    record_property("requests_longest_task_ms", seen["longest_ms"])
    record_property("requests_frames_per_s", seen["frames_per_s"])
    record_property("requests_nodes_replaced", seen["elements"])
    assert set(seen["changed"]) == answered, "nothing is drawn in rows that did not change"
    assert seen["elements"] == 0, "no element was taken out or put in"
    assert staff.problems == []
