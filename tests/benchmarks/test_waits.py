"""Tests how the waits of people in a visit become figures, and the places at which they are measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from playwright.async_api import Error

from tests.benchmarks import waits
from tests.benchmarks.figures import Report, Wait
from tests.benchmarks.tables import document
from tests.benchmarks.test_published import REPORT
from tests.benchmarks.waits import CLAIM, KILLED, NEAR, PLACES, START, away, figures, summary

WAITS = {CLAIM: [90.0, 130.0, 70.0], START: [60.0], KILLED: []}


def test_a_place_has_the_median_and_the_longest_of_each_wait() -> None:
    assert summary(NEAR, 3, WAITS) == Wait("no network", 3, (90.0, 130.0), (60.0, 60.0), None)


def test_half_of_the_round_trip_is_the_delay_of_each_direction() -> None:
    network = away(150, 0.05).network
    assert network is not None
    assert network.up == network.down
    assert (network.up.delay_ms, network.up.loss) == (75, 0.05)
    assert {place.name for place in PLACES} >= {"50 ms, 1 % loss", "150 ms, 5 % loss"}


def test_a_median_above_its_target_is_a_miss() -> None:
    claim, start = figures(Wait("no network", 3, (121.0, 130.0), (80.0, 90.0), None))
    assert (claim.verdict, start.verdict) == ("MISS", "ok")


def test_the_page_of_results_has_a_row_for_each_place() -> None:
    report: Report = replace(REPORT, waits=[summary(away(50, 0.01), 3, WAITS)])
    assert "| 50 ms, 1 % loss | 90 ms, 130 ms | 60 ms, 60 ms | – |" in document(report)


@asynccontextmanager
async def no_browser(path: str) -> AsyncIterator[None]:
    yield


async def test_a_place_that_fails_is_left_out_but_after_a_cancellation_no_other_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[str] = []
    begun = asyncio.Event()

    async def at(browser: None, place: waits.Place, size: waits.Size) -> Wait:
        measured.append(place.name)
        if len(measured) != 2:
            raise Error("no page\nmany lines")
        try:
            begun.set()
            await asyncio.sleep(600)
        finally:
            raise Error("the browser is closed")

    for name, value in (("find_chromium", lambda: "chromium"), ("chromium", no_browser), ("_at", at)):
        monkeypatch.setattr(waits, name, value)
    shown: list[float] = []
    running = asyncio.create_task(waits._measure(waits.WHOLE, shown.append))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert measured == [place.name for place in waits.WHOLE.places[:2]]
    assert len(shown) == 1
