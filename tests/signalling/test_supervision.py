"""Tests that an endless task is started again when it ends, and reported if it fails again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from signalling import supervision
from signalling.supervision import MOST, Supervisor
from tests.limits import WAIT_S
from tests.signalling.waits import until


class Work:
    """A function for a task. A test makes it end, in one of the ways in which a task can end."""

    def __init__(self, *ways: str) -> None:
        self.ways = list(ways)
        self.runs = 0

    async def run(self) -> None:
        """End in the next of the ways that the test has listed. After the last of these ways, never end."""
        self.runs += 1
        if not self.ways:
            await asyncio.Event().wait()
        match self.ways.pop(0):
            case "raises":
                raise RuntimeError("closed")
            case "returns":
                return
            case "is cancelled by what it waits for":
                waited_for = asyncio.get_running_loop().create_future()
                waited_for.cancel()
                await waited_for


@asynccontextmanager
async def supervised(*ways: str) -> AsyncIterator[tuple[Supervisor, Work]]:
    """Yield (a supervisor, the work that it supervises). `ways`: how the work ends, one after another."""
    supervisor, work = Supervisor(pause_s=0.001), Work(*ways)
    supervisor.keep("work", work.run)
    yield supervisor, work
    async with asyncio.timeout(WAIT_S):
        await supervisor.close()


def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that gets the length of each pause of the supervisor in s. The pauses take no time."""
    slept: list[float] = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(supervision, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": pause}))
    return slept


@pytest.mark.parametrize("way", ["raises", "returns", "is cancelled by what it waits for"])
async def test_r25_a_task_that_ends_is_started_again_and_counted(way: str) -> None:
    async with supervised(way) as (supervisor, work):
        await until(lambda: work.runs == 2)
        assert supervisor.failures == {"work": 1}
        assert supervisor.failing == []


async def test_r25_a_task_that_fails_five_times_within_a_minute_is_failing_for_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with supervised(*["raises"] * MOST) as (supervisor, work):
        await until(lambda: work.runs == MOST + 1)
        assert supervisor.failing == ["work"]
        monkeypatch.setattr(supervision, "WINDOW_S", 0.0)
        assert supervisor.failing == []


async def test_r25_the_pause_before_a_restart_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = pauses(monkeypatch)
    monkeypatch.setattr(supervision, "LONGEST_S", 0.005)
    async with supervised(*["raises"] * 5) as (_, work):
        await until(lambda: work.runs == 6)
    assert slept == [0.001, 0.002, 0.004, 0.005, 0.005]


async def test_r25_the_pause_is_a_tenth_of_a_second_at_first_and_again_after_a_minute_without_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, slept = [0.0], pauses(monkeypatch)
    ran_s = [0.0] * 7 + [59.9, 60.0, 0.0]

    async def run() -> None:
        if not ran_s:
            await asyncio.Event().wait()
        now_s[0] += ran_s.pop(0)

    monkeypatch.setattr(supervision, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    supervisor = Supervisor()
    supervisor.keep("work", run)
    await until(lambda: len(slept) == 10)
    await supervisor.close()
    assert slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.1, 0.2])


@pytest.mark.parametrize(("times", "within_s", "failing"), [(4, 1, False), (5, 59.9, True), (5, 60.1, False)])
def test_r25_a_task_is_failing_after_five_failures_in_a_minute(
    times: int, within_s: float, failing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, supervisor = [0.0], Supervisor()
    monkeypatch.setattr(supervision, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    for number in range(times):
        now_s[0] = number * within_s / (times - 1)
        supervisor.failed("work", None)
    assert (supervisor.failing, supervisor.failures) == (["work"] * failing, {"work": times})


async def test_a_stopped_task_is_not_started_again() -> None:
    async with supervised() as (supervisor, work):
        await until(lambda: work.runs == 1)
        with pytest.raises(ValueError, match="work"):
            supervisor.keep("work", work.run)
        await supervisor.stop("work")
        await supervisor.stop("work")
        assert supervisor.kept == {}
        assert supervisor.failures == {}
        assert work.runs == 1
