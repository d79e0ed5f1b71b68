"""Tests the sweep (periodic work) of a worker: which organisations it reads, when, and what it changes.

The clock and the records are in memory.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from signalling import sweep as module
from signalling.errors import UnavailableError
from signalling.service import Accepted
from signalling.store import keys
from signalling.store.event_stream import Pulse, StreamHead
from signalling.visit.commands import Due, Enter, Leave
from signalling.visit.record import Policy, Role, Staff
from signalling.visit.relations import Event, Refusal
from signalling.visit.rules import next_deadline_ms
from tests.signalling import visits
from tests.signalling.sweep_apart import DEAD, OWN, Apart, Mirror, tab
from tests.signalling.visits import ORG, OTHER, T0

RAY = Staff(id="ray", name="Ray", role=Role.PROVIDER, on_call=True, on_call_since_ms=T0)

# --- which organisations are read, and when


@pytest.mark.parametrize(
    ("mine", "present", "wait_s"), [(True, False, 0.0), (False, True, 1.4), (False, False, 10.0)]
)
async def test_an_organisation_of_other_workers_is_read_less_often(
    mine: bool, present: bool, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror: Any = Mirror(ORG)
    apart = Apart(monkeypatch, mirror)
    if not mine:
        apart.mine.clear()
    # For 3 s after a new connection to the store, a worker reads all organisations. This time is over now.
    apart.now_s += 4
    tabs = frozenset({ORG}) if present else frozenset()
    apart.sweep._opened = 1
    assert apart.sweep._is_due(mirror, tabs)
    apart.now_s += max(0.0, wait_s / 2 - 0.01)
    assert apart.sweep._is_due(mirror, tabs) is mine, "the first wait is a random part of the whole"
    apart.now_s += 0.02
    assert apart.sweep._is_due(mirror, tabs)
    apart.now_s += max(0.0, wait_s - 0.01)
    assert apart.sweep._is_due(mirror, tabs) is mine
    apart.now_s += 0.02
    assert apart.sweep._is_due(mirror, tabs)


async def test_for_three_seconds_after_a_lost_connection_every_organisation_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror: Any = Mirror(OTHER)
    apart = Apart(monkeypatch, mirror)
    seen = []
    for opened, passed_s in ((1, 0.0), (1, 2.9), (1, 0.2), (2, 0.1), (2, 2.9), (2, 0.2)):
        apart.redis.opened = opened
        apart.now_s += passed_s
        seen.append(apart.sweep._is_due(mirror, {}))
    assert seen == [True, True, False, True, True, False]


async def test_a_round_reads_what_is_due_and_compares_it_also_if_the_store_lists_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = Mirror(ORG), Mirror(OTHER)
    apart = Apart(monkeypatch, one, other)
    apart.listed = [ORG]
    apart.heads = {ORG: StreamHead("e", 7, b"", "here")}
    await apart.sweep._round()
    assert apart.does == [("pulses", ORG, OTHER), ("watch", one)]
    assert (one.compared, other.compared) == ([StreamHead("e", 7, b"", "here")], [StreamHead("", 0)])
    apart.does.clear()
    apart.mine.clear()
    apart.now_s += 4
    apart.sweep._looked_s = {ORG: apart.now_s, OTHER: apart.now_s}
    await apart.sweep._round()
    assert apart.does == [], "nothing is read"


async def test_a_round_without_the_store_is_repeated_after_half_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart, ticks = Apart(monkeypatch), list[float]()

    async def tick(period_s: float) -> None:
        ticks.append(period_s)
        if len(ticks) == 2:
            raise asyncio.CancelledError

    async def away() -> list[str]:
        raise UnavailableError("store")

    monkeypatch.setattr(module, "tick", tick)
    monkeypatch.setattr(apart.sweep._service.organisations, "list", away)
    with pytest.raises(asyncio.CancelledError):
        await apart.sweep.run()
    assert ticks == [0.5, 0.5]


async def test_a_step_that_fails_is_logged_and_the_next_ones_run(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = Apart(monkeypatch)
    apart.answers = [ValueError()]
    command: Any = apart._command(visits.SYSTEM, "v_1", Due())
    with capture_logs() as logs:
        assert await module._alone(command) is None
    assert [line["event"] for line in logs] == ["sweep.failed"]
    apart.answers = [UnavailableError("store")]
    with pytest.raises(UnavailableError):
        await module._alone(apart._command(visits.SYSTEM, "v_1", Due()))
    apart.answers = ["done"]
    assert await module._alone(apart._command(visits.SYSTEM, "v_1", Due())) == "done"


# --- the store was replaced by another store


@pytest.mark.parametrize(
    ("epoch", "store", "before", "act"),
    [
        ("e", "here", "", None),
        ("e", "", "", "adopt"),
        ("e", "", "here", "adopt"),
        ("e", "", "other", "epoch"),
        ("e", "other", "", "epoch"),
        ("e", "here", "other", None),
        ("", "", "other", None),
        ("", "other", "", None),
    ],
)
async def test_an_epoch_of_another_store_ends_and_one_of_no_store_is_adopted(
    epoch: str, store: str, before: str, act: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror: Any = Mirror(ORG)
    apart = Apart(monkeypatch, mirror)
    if before:
        apart.sweep._identities[ORG] = before
    await apart.sweep._recognise([(mirror, Pulse(StreamHead(epoch, 7, b"", store), []))])
    assert apart.does == {
        None: [], "adopt": [("adopt", ORG, "here")], "epoch": [("epoch", ORG, "store", store, "here")]
    }[act]  # fmt: skip
    assert (mirror.repairs, apart.sweep._identities) == (act == "epoch", {ORG: "here"})


# --- deadlines


VISIT = visits.away(visits.queued(), "patient")


@pytest.mark.parametrize(
    ("answer", "next_ms"),
    [
        (Accepted(VISIT, Event("expired", 1), 1), "none"),
        (Accepted(VISIT, None, 0), next_deadline_ms(VISIT, Policy())),
        (Refusal("not_found"), None),
        (ValueError(), T0 + 60_000),
    ],
)
async def test_a_deadline_that_changes_nothing_is_moved(
    answer: Any, next_ms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = Apart(monkeypatch)
    apart.answers = [answer]
    await apart.sweep._apply(ORG, "v_1", 77)
    moved = [] if next_ms == "none" else [("move", ORG, "v_1", 77, next_ms)]
    assert apart.does == [("system", "v_1", Due()), *moved]


# --- connections of workers that count as dead


@pytest.mark.parametrize(("passed_s", "dead"), [(0.0, set()), (2.4, set()), (2.5, {DEAD}), (9.0, {DEAD})])
async def test_a_worker_counts_as_dead_after_the_time_in_which_its_connections_may_resume(
    passed_s: float, dead: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = Apart(monkeypatch)
    apart.dead = frozenset({DEAD})
    assert apart.sweep._dead_for_a_while() == set()
    apart.now_s += passed_s
    assert apart.sweep._dead_for_a_while() == dead
    apart.dead = frozenset()
    assert apart.sweep._dead_for_a_while() == set()
    apart.dead = frozenset({DEAD})
    assert apart.sweep._dead_for_a_while() == set(), "it was back meanwhile"


@pytest.mark.parametrize(
    ("due", "dead", "holds", "left"),
    [
        ([], [], True, []),
        ([], [DEAD], True, [("c_osei", DEAD)]),
        (None, [DEAD], True, []),
        ([], [], False, [("c_ana", OWN)]),
        (None, [], False, [("c_ana", OWN)]),
        ([], [OWN], True, [("c_ana", OWN)] * 2),
    ],
)
async def test_connections_of_dead_workers_and_lost_ones_of_this_worker_leave_the_visit(
    due: Any, dead: list[str], holds: bool, left: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror: Any = Mirror(ORG, visits.claimed())
    apart = Apart(monkeypatch, mirror)
    if not holds:
        apart.holds.clear()
    await apart.sweep._once(mirror, due, [], dead)
    watched = [("watch", mirror)] if due is not None else []
    assert apart.does == [*watched, *(("system", "v_1", Leave(*one)) for one in left)]


async def test_each_deadline_is_applied_before_the_queue_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror: Any = Mirror(ORG)
    apart = Apart(monkeypatch, mirror)
    apart.answers = [Accepted(VISIT, Event("expired", 1), 1)] * 2
    await apart.sweep._once(mirror, [("v_1", 1), ("v_2", 2)], [], [])
    assert apart.does == [("system", "v_1", Due()), ("system", "v_2", Due()), ("watch", mirror)]


@pytest.mark.parametrize(
    ("actor", "connection", "entered", "enters"),
    [
        (visits.PATIENT, "c_new", ("v_1",), True),
        (visits.PATIENT, "c_ana", ("v_1",), False),
        (visits.PATIENT, "c_gone", ("v_1",), False),
        (visits.PATIENT, "c_new", (), False),
        (visits.PATIENT, "c_new", ("v_unknown",), False),
        (visits.PEOPLE["other patient"], "c_new", ("v_1",), False),
        (visits.CLAIMANT, "c_new", ("v_1",), True),
    ],
)
async def test_a_page_that_is_open_here_and_missing_in_the_record_is_entered_again(
    actor: Any, connection: str, entered: tuple[str, ...], enters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror: Any = Mirror(ORG, visits.claimed())
    apart = Apart(monkeypatch, mirror)
    apart.holds.add("c_new")
    apart.sweep._written[ORG] = apart.now_s, frozenset({actor.id} if actor.is_staff else ())
    await apart.sweep._once(mirror, None, [tab(actor, connection, *entered)], [])
    assert apart.does == ([(actor.id, "v_1", Enter(connection, OWN))] if enters else [])


# --- staff who have no page open


@pytest.mark.parametrize(
    ("seen_ms", "since_ms", "off"),
    [
        (None, T0 - 60_000, True),
        (None, T0 - 59_999, False),
        (T0 - 60_000.0, T0 - 90_000, True),
        (T0 - 59_999.0, T0 - 90_000, False),
        (T0 - 90_000.0, T0 - 59_999, False),
        (None, None, False),
    ],
)
async def test_staff_without_a_page_for_the_clinics_limit_are_no_longer_on_call(
    seen_ms: float | None, since_ms: int | None, off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror: Any = Mirror(
        ORG, staff=(replace(RAY, on_call_since_ms=since_ms), replace(RAY, id="kim", on_call=False))
    )
    apart = Apart(monkeypatch, mirror)
    apart.scores = [seen_ms]
    await apart.sweep._off_call(mirror, [], turns_off=False)
    assert apart.does == [], "not by this worker"
    await apart.sweep._off_call(mirror, [], turns_off=True)
    seen, *more = apart.does
    assert seen == ("seen", ["ray"])
    actor = replace(visits.COLLEAGUE, name="Ray")
    assert more == ([("on call", actor, False, True)] if off else [])


async def test_who_has_a_page_open_is_written_when_that_changes_and_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror: Any = Mirror(ORG, staff=(RAY,))
    apart = Apart(monkeypatch, mirror)
    page = [tab(visits.COLLEAGUE), tab(visits.PATIENT, "c_2")]
    written = []
    for passed_s, tabs in ((0.0, page), (4.9, page), (0.2, page), (0.1, []), (0.1, []), (5.0, [])):
        apart.now_s += passed_s
        apart.does.clear()
        await apart.sweep._off_call(mirror, tabs, turns_off=False)
        written.append(apart.does == [("here", keys.HERE(ORG), {"ray": T0})])
        assert len(apart.does) == written[-1]
    assert written == [True, False, True, True, False, False]


async def test_a_short_limit_is_written_four_times_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror: Any = Mirror(ORG, staff=(RAY,))
    apart = Apart(monkeypatch, mirror)
    apart.off_call_ms = 4_000
    written = []
    for passed_s in (0.0, 0.9, 0.2):
        apart.now_s += passed_s
        apart.does.clear()
        await apart.sweep._off_call(mirror, [tab(visits.COLLEAGUE)], turns_off=True)
        written.append(len(apart.does))
    assert written == [1, 0, 1]


def test_the_workers_of_an_organisations_parties_are_watched_by_those_who_look_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = Apart(
        monkeypatch, Mirror(ORG, visits.claimed()), Mirror(OTHER, replace(visits.claimed(), id="v_2"))
    )
    assert sorted(apart.sweep.holders()) == [OWN, DEAD]
