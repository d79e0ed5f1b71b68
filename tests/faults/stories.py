"""Runs a story on real processes: random commands of a clinic's people over two machines, with faults between them.

`run_story` carries out the steps of `plans.py`, and returns what broke the rules. `shortest` repeats a story that
failed with fewer and fewer steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp

from signalling.visit.record import Policy
from tests.faults.checks import Finding, check
from tests.faults.conftest import ALL
from tests.faults.history import NOTICE_S, Held, History, Rules
from tests.faults.link import link_to
from tests.faults.machine import POLICY, machine
from tests.faults.plans import MACHINES, WORKERS, Step
from tests.faults.running import Run
from tests.signalling.clinic import GUIDE
from web.server.valkey import EmbeddedStore, LockedFolder

STORY_S = 240.0
SHOWN_S = 2.0  # every screen must show what the store has within this time in s after the last fault
S = TypeVar("S")
RULES = Rules(Policy(**POLICY), GUIDE)  # type: ignore[arg-type]  # its limits are numbers
STORY_RULES = RULES if ALL else RULES._replace(lag_s=2.5, overlap_s=1.0, gate_s=5.0, notice_s=2 * NOTICE_S)
"""The rules for stories on real processes. Except in `make faults`, the machine is busy with other tests."""


@asynccontextmanager
async def _processes(folder: Path, history: History) -> AsyncIterator[tuple[Any, ...]]:
    async with AsyncExitStack() as stack:
        locked = LockedFolder(folder)
        stack.callback(locked.close)
        store = EmbeddedStore(locked)
        store.start()
        stack.callback(store.stop)

        def sampled(worker: str, at_s: float, rooms: dict[str, bool]) -> None:
            history.held.append(Held(worker, at_s, rooms))

        links = [await stack.enter_async_context(link_to(store.url)) for _ in range(MACHINES)]
        opening = [
            stack.enter_async_context(
                machine("ab"[number], link.url, WORKERS, folder / f"machine-{number}.log", sampled)
            )
            for number, link in enumerate(links)
        ]
        machines = [await opened for opened in opening]
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield store, machines, links, http


class Result(NamedTuple):
    """The result of a story. `findings`: the violations of rules in its history.

    `settled_s`: for each time that the story waited for right screens, how long it waited, in s.
    """

    history: History
    findings: list[Finding]
    settled_s: list[float]


async def run_story(steps: Sequence[Step], seed: int, shown_s: float, folder: Path | None = None) -> Result:
    """Run a story on its own two machines; return the result.

    `seed`: the seed of its random details. `shown_s`: the time in s after a fault within which all screens must be
    right. `folder`: the folder for the files of the processes; None: a temporary one. Raises TimeoutError after
    STORY_S.
    """
    history = History()
    with contextlib.ExitStack() as kept:
        if folder is None:
            folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="greenroom-story-")))
        async with _processes(folder, history) as (store, machines, links, http):
            run = Run(store, machines, links, http, history, seed, shown_s)
            try:
                async with asyncio.timeout(STORY_S):
                    await run.open()
                    await run.carry_out(steps)
            finally:
                for link in links:
                    link.heal()
                await run.close()
    return Result(history, check(history, STORY_RULES), run.settled_s)


async def shortest(
    steps: Sequence[Step], seed: int, kind: str, shown_s: float, within_s: float
) -> list[Step]:
    """Search for fewer steps with which a story still has a violation of this `kind`; return the fewest that were
    found.

    `seed`: the seed of the random details. `shown_s`: the time in s after a fault within which all screens must be
    right. `within_s`: the time in s for the search.
    """

    async def fails(fewer: Sequence[Step]) -> bool:
        try:
            result = await run_story(fewer, seed, shown_s)
        except (OSError, TimeoutError):
            return False  # the machine was too busy to finish this story, so it does not count as failed
        return any(finding.kind == kind for finding in result.findings)

    return await shrink(steps, fails, within_s)


def in_words(steps: Sequence[Step], findings: Sequence[Finding], seed: int) -> str:
    """Return a failed story as text for people: its seed, its steps and its violations."""
    lines = [
        f"seed {seed}: {len(steps)} steps",
        *(f"  {number}. {step}" for number, step in enumerate(steps, 1)),
    ]
    return "\n".join([*lines, "found:", *(f"  {finding.kind}: {finding.text}" for finding in findings[:10])])


async def shrink(
    steps: Sequence[S], fails: Callable[[Sequence[S]], Awaitable[bool]], within_s: float
) -> list[S]:
    """Return the fewest steps that still fail, after a search of at most `within_s` seconds.

    The search leaves out one half of the steps, then smaller parts.
    `fails` returns True if a story with these steps fails; the given steps are known to fail. Each try is made only
    once, so a story that does not always fail may stay longer than needed.
    """
    end_s = time.monotonic() + within_s
    kept, parts = list(steps), 2
    while len(kept) > 1 and time.monotonic() < end_s:
        size = max(1, len(kept) // parts)
        for start in range(0, len(kept), size):
            fewer = kept[:start] + kept[start + size :]
            if time.monotonic() >= end_s:
                break
            if fewer and await fails(fewer):
                kept, parts = fewer, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(kept), parts * 2)
    return kept
