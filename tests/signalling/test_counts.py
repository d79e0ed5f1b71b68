"""Tests what is counted of commands, visits and sockets."""

from __future__ import annotations

from collections import Counter

import pytest
from redis.asyncio import Redis

from signalling import counts
from signalling.counts import Histogram
from signalling.visit import commands as c
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
