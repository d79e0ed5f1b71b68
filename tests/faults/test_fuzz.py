"""Tests that no input of a stranger blocks a worker's loop for long, ends it, or raises an unexpected error.

Valid inputs are changed at random, by a seed. They are given to the product's own parsers, and to a real relay in this
process, so that the CPU time of each input can be measured. GREENROOM_FUZZ_SEED sets another seed. The table of results
lists the figures under "F".
"""

import gc
import os
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from inspect import isawaitable

import pytest

from tests.faults.conftest import Measured, Rounds
from tests.faults.hostile import Target, targets
from tests.faults.hostile_peer import peer
from tests.faults.mutation import Mutator

SEED = os.environ.get("GREENROOM_FUZZ_SEED", "1")
AT_MOST_MS = 50
TURN = 50  # this number of inputs is given to one target, then to the next target


class Fuzzer:
    """Gives inputs to targets, and keeps the slowest input and the errors of each."""

    def __init__(self) -> None:
        self.fed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.slowest_ms: dict[str, float] = {}
        self.slowest: dict[str, bytes] = {}
        self.errors: dict[str, bytes] = {}
        """Place in the code -> the first input at which an unexpected error was raised there."""

    async def run(self, found: Sequence[Target], count: int) -> None:
        """Give `count` inputs to the targets. Each target gets the part of them that its `share` names."""
        whole = sum(target.share for target in found)
        left = {target.name: round(count * target.share / whole) for target in found}
        for target in found:
            # The valid samples go first, so that the time to load modules at first use is not measured.
            for data in target.mutator.samples:
                await self._try(target, data)
        gc.collect()
        gc.disable()
        try:
            while any(left.values()):
                gc.collect(1)
                for target in found:
                    most = min(TURN, left[target.name])
                    left[target.name] -= most
                    for _ in range(most):
                        await self._feed(target)
        finally:
            gc.enable()

    async def _feed(self, target: Target) -> None:
        data = target.mutator.next()
        began = time.thread_time_ns()
        await self._try(target, data)
        took_ms = (time.thread_time_ns() - began) / 1e6
        self.fed[target.name] += 1
        if took_ms > self.slowest_ms.get(target.name, 0.0):
            self.slowest_ms[target.name], self.slowest[target.name] = took_ms, data

    async def _try(self, target: Target, data: bytes) -> None:
        try:
            waits = target.feed(data)
            if isawaitable(waits):
                await waits
        except target.typed:
            self.refused[target.name] += 1
        except Exception as problem:  # noqa: BLE001 - that is what is looked for
            place = traceback.extract_tb(problem.__traceback__)[-1]
            name = f"{target.name}: {type(problem).__name__} at {place.filename}:{place.lineno}"
            self.errors.setdefault(name, data)

    def failures(self) -> str:
        """Return a text with the inputs that raised unexpected errors, so that they can be sent again."""
        return "\n".join(f"{name}: {data[:400]!r} ({len(data)} bytes)" for name, data in self.errors.items())


@pytest.mark.filterwarnings(
    "ignore"
    # Warnings are ignored, because errors of aiohttp quote the input. A text that is not UTF-8 in pytest's list of
    # warnings would end a process of xdist.
)
async def test_f_any_input_of_a_stranger_is_handled_fast_and_with_typed_errors_only(
    rounds: Rounds, measured: Measured
) -> None:
    inputs, calls = rounds(20_000, 1_000_000), rounds(1, 20)
    fuzzer = Fuzzer()
    gc.freeze()
    try:
        await fuzzer.run(targets(SEED), inputs * 65 // 100)
        for others, number in ((others, number) for number in range(calls) for others in (1, 3)):
            async with peer(others) as someone:
                found = someone.targets(f"{SEED} {others} {number}")
                await fuzzer.run(found, inputs * 35 // 100 // calls // 2 + 1)
                assert someone.peers.relay.stats.faults == 0, "see the log"
                assert someone.peers.relay.stats.rtcp > 0
    finally:
        gc.unfreeze()
    assert not fuzzer.errors, fuzzer.failures()
    fed = sum(fuzzer.fed.values())
    measured("F", "hostile inputs that were missing", max(0, inputs - fed), at_most=0)
    name = max(fuzzer.slowest_ms, key=lambda name: fuzzer.slowest_ms[name])
    slowest = f"slowest of {fed:,} hostile inputs ({name})"
    measured("F", slowest, fuzzer.slowest_ms[name], "ms of CPU", at_most=AT_MOST_MS)
    for kind, count in fuzzer.fed.items():
        assert fuzzer.refused[kind] < count, f"{kind}: the changes must leave some inputs valid"


def test_f_the_same_seed_makes_the_same_inputs() -> None:
    one, two = (Mutator("seed", [b"a valid input", b"another"], [b"token"], 200) for _ in range(2))
    inputs = [one.next() for _ in range(500)]
    assert inputs == [two.next() for _ in range(500)]
    assert len(set(inputs)) > 400
    assert max(map(len, inputs)) == 200
