"""Tests runs that an adapter plays, as for another video server: who calls whom, which steps are measured, and what
happens to a call that fails.
"""

import asyncio
from typing import ClassVar

import pytest

from tests.limits import WAIT_S
from tests.signalling.waits import until
from web.peers.adapters.adapter import Adapter
from web.peers.errors import RefusedError
from web.peers.run import calls
from web.peers.run.arrivals import Arrivals, Span
from web.peers.run.calls import CallDriver
from web.peers.run.observations import Observations
from web.peers.run.plan import Plan


class InMemory(Adapter):
    """An adapter (the load tester's connection to a video server) whose people call each other in memory, without a
    server.

    `busy`: how many of the next calls are refused.
    """

    media_kinds = ("none",)
    present: ClassVar[dict[str, "InMemory"]] = {}
    busy: ClassVar[int] = 0

    async def enter(self) -> None:
        self.present[self.name] = self
        self.news: asyncio.Queue[str] = asyncio.Queue()

    async def call(self, name: str) -> None:
        if self.busy:
            InMemory.busy -= 1
            raise RefusedError("busy", "the line is busy")
        self.other = self.present[name]
        self.other.other = self
        self.other.news.put_nowait("call")
        assert await self.news.get() == "answer"

    async def called(self) -> None:
        assert await self.news.get() == "call"

    async def answer(self) -> None:
        self.other.news.put_nowait("answer")

    async def hang_up(self) -> None:
        if hasattr(self, "other"):
            self.other.news.put_nowait("end")

    async def ended(self) -> None:
        assert await self.news.get() == "end"

    async def leave(self) -> None:
        self.present.pop(self.name, None)


@pytest.fixture(autouse=True)
def nobody_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "load", lambda _: InMemory)
    monkeypatch.setattr(InMemory, "present", {})
    monkeypatch.setattr(InMemory, "busy", 0)


def driver_of_four(talk: str = "1ms") -> CallDriver:
    """Return a driver of four patients, who come at once, and two providers."""
    plan = Plan(
        url="ws://x",
        adapter="in memory",
        patients=4,
        providers=2,
        arrivals=Arrivals.parse("at-once"),
        talk=Span.parse(talk),
    )
    return CallDriver(plan.share(0, 1))


async def play(driver: CallDriver) -> Observations:
    seen = Observations()
    await driver.open()
    await driver.play(seen)
    await driver.close()
    return seen


async def test_each_patient_is_called_once_and_its_steps_are_measured() -> None:
    driver = driver_of_four()
    seen = await play(driver)
    assert not seen.errors, seen.examples
    steps = {name: len(series) for name, series in seen.steps.items()}
    assert steps == dict.fromkeys("arrive waited pulled_in claim hang_up journey".split(), 4)
    assert InMemory.present == {}
    assert (driver.waiting, driver.in_call) == (0, 0)


async def test_a_call_that_is_refused_is_counted_and_the_next_patient_is_called() -> None:
    InMemory.busy = 1
    seen = await play(driver_of_four())
    assert {code: len(series) for code, series in seen.errors.items()} == {"busy": 1, "call_lost": 1}
    assert len(seen.steps["journey"]) == 3


async def test_a_run_that_is_stopped_ends_its_calls() -> None:
    driver, seen = driver_of_four("10min"), Observations()
    await driver.open()
    playing = asyncio.create_task(driver.play(seen))
    await until(lambda: driver.in_call == 2)
    driver.stop()
    async with asyncio.timeout(WAIT_S):
        await playing
    await driver.close()
    assert len(seen.steps["journey"]) == 2
    assert InMemory.present == {}
