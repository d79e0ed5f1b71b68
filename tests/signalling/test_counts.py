"""Tests the numbers that a worker counts for the metrics: commands, visits and sockets."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling import counts
from signalling.counts import Histogram
from signalling.visit import commands as c
from signalling.visit.record import Outcome, Role, Visit
from signalling.visit.relations import Event, Refusal
from tests.signalling import visits
from tests.signalling.clinic import clinic


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the counts of this process to zero for each test."""
    for name, kept in list(vars(counts).items()):
        if isinstance(kept, Counter):
            monkeypatch.setattr(counts, name, Counter())
        elif isinstance(kept, Histogram):
            monkeypatch.setattr(counts, name, Histogram(kept.bounds))


def test_a_histogram_counts_each_value_in_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    found = Histogram((0.0, 1.0, 2.0))
    for value in (0.0, 0.5, 1.0, 1.5, 9.0):
        found.observe(value)
    assert found.numbers == [1, 2, 1, 1]
    assert found.total == 12.0


def test_a_command_is_counted_by_its_result_which_is_returned() -> None:
    refusal = Refusal("already_claimed")
    assert counts.decided(c.Claim(), refusal) is refusal
    assert counts.decided(c.Claim(), "accepted") == "accepted"
    assert counts.COMMANDS == {("Claim", "already_claimed"): 1, ("Claim", "done"): 1}


@pytest.mark.parametrize(
    ("before", "after", "kind", "ended", "waits"),
    [
        (visits.queued(), visits.claimed(), "claimed", {}, 1),
        (visits.queued(), replace(visits.claimed(), returned=1), "claimed", {}, 0),
        (visits.claimed(), visits.claimed(), "entered", {}, 0),
        (visits.live(), visits.ended(), "ended", {"completed": 1}, 0),
        (visits.live(), replace(visits.ended(), outcome=None), "ended", {"none": 1}, 0),
        (None, replace(visits.ended(), outcome=Outcome.WITHDRAWN), "opened", {"withdrawn": 1}, 0),
        (visits.ended(), visits.ended(), "tagged", {}, 0),
    ],
)
def test_a_visit_is_counted_at_its_first_claim_and_at_its_end(
    before: Visit | None, after: Visit, kind: str, ended: dict[str, int], waits: int
) -> None:
    counts.committed(before, after, Event(kind, visits.T0 + 61_000))
    assert ended == counts.ENDED
    assert (sum(counts.WAIT_S.numbers), counts.WAIT_S.total) == (waits, 61.0 * waits)


FIRST, AGAIN = (replace(visits.claimed(), claimed_ms=visits.T0 + later_ms) for later_ms in (0, 5_000))


@pytest.mark.parametrize(
    ("role", "before", "after", "took_s"),
    [
        (Role.PATIENT, visits.queued(), FIRST, 20.0),
        (Role.PATIENT, FIRST, AGAIN, 15.0),
        (Role.PATIENT, FIRST, FIRST, None),
        (Role.PATIENT, None, FIRST, None),
        (Role.PATIENT, FIRST, visits.queued(), None),
        (Role.PROVIDER, visits.queued(), FIRST, None),
        (Role.PATIENT, visits.queued(), replace(FIRST, claimed_ms=visits.T0 + 90_000), 0.0),
    ],
)
def test_the_time_from_a_claim_to_the_patients_page_is_counted_for_each_claim(
    role: Role, before: Visit | None, after: Visit, took_s: float | None
) -> None:
    counts.shown(role, before, after, visits.T0 + 20_000)
    found = counts.CLAIM_TO_PAGE_S
    assert (sum(found.numbers), found.total) == ((0, 0.0) if took_s is None else (1, took_s))


def test_a_measurement_of_a_call_is_counted_as_far_as_it_is_known() -> None:
    def quality(rtt_ms: float | None, sent: float | None, received: float | None) -> Any:
        sides = {
            name: {"audio": SimpleNamespace(loss=loss)}
            for name, loss in (("sent", sent), ("received", received))
        }
        return SimpleNamespace(rtt_ms=rtt_ms, **sides)

    counts.measured(quality(None, None, None))
    histograms = (counts.ROUND_TRIP_S, counts.SENT_LOST, counts.RECEIVED_LOST)
    assert [sum(found.numbers) for found in histograms] == [0, 0, 0]
    counts.measured(quality(80.0, 0.25, 0.5))
    assert [sum(found.numbers) for found in histograms] == [1, 1, 1]
    assert [found.total for found in histograms] == [0.08, 0.25, 0.5]


def test_the_bounds_stay_because_the_figures_of_two_releases_are_added_up_by_bound() -> None:
    fast = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
    in_one_day = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
    for found in (counts.CLAIM_TO_PAGE_S, counts.EVENT_LAG_S, counts.ROUND_TRIP_S, counts.LOOP_LAG_S):
        assert found.bounds == fast
    assert counts.STORE_S.bounds == (0.00025, 0.0005, *fast)
    assert counts.WAIT_S.bounds == in_one_day
    assert counts.FIRST_PICTURE_S.bounds == (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
    for found in (counts.SENT_LOST, counts.RECEIVED_LOST):
        assert found.bounds == (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


async def test_claims_and_refusals_are_counted_by_code_and_a_visit_once_by_its_outcome(valkey: Redis) -> None:
    async with clinic(valkey, 2) as two:
        patient = await two.arrive()
        visit = patient.visit or ""
        page = await two.connect(patient, 1)
        await page.request("subscribe", topic=f"visit/{visit}")
        osei, lind = two.provider(), two.provider("Dr J. Lind")
        for staff in (osei, lind):
            await two.on_call(staff)
        service = two.workers[0].service
        for staff in (osei, lind):
            await service.command(staff, visit, c.Claim())
        await page.expect("visit.state", lambda message: message["visit"]["status"] == "claimed")
        await service.command(osei, visit, c.Release())
        await service.command(lind, visit, c.Claim())
        await page.expect(
            "visit.state", lambda message: (message["visit"]["claimant"] or {}).get("id") == lind.id
        )
        await service.command(patient, visit, c.Withdraw())
        assert counts.COMMANDS["Claim", "done"] == 2
        assert counts.COMMANDS["Claim", "already_claimed"] == 1
        assert sum(counts.WAIT_S.numbers) == 1, "a visit waits until its first claim"
        assert sum(counts.CLAIM_TO_PAGE_S.numbers) == 2, "each claim reaches the one page of the patient"
        assert counts.ENDED == {"withdrawn": 1}
        assert sum(counts.STORE_S.numbers) > 10
        assert sum(counts.EVENT_LAG_S.numbers) > 3
        assert counts.SOCKETS_OPENED == {"new": 3}
