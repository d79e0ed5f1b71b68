"""Measures only while a machine is calm: other programs use little CPU, before a measurement and during it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from tests.benchmarks.process import others_s
from web.peers.run.server import busy_s

SAMPLE_S: Final = 1.0
CALM_CORES: Final = 0.25
"""A machine is calm if at most this number of cores is busy."""
LIMIT_S: Final = 600.0
AGAIN_S: Final = 10.0
TIMES: Final = 2
"""How often a measurement is tried, if other programs disturb it each time."""

T = TypeVar("T")


class BusyError(Exception):
    """Nothing could be measured because other programs used the machine; the error's text is the reason."""


def busy_cores() -> float:
    """Return how many cores of the machine are busy, over SAMPLE_S seconds; 0.0 if the system does not report it."""
    before, began = busy_s(), time.monotonic()
    time.sleep(SAMPLE_S)
    after, took_s = busy_s(), time.monotonic() - began
    return 0.0 if before is None or after is None else (after - before) / took_s


def too_busy(
    say: Callable[[str], None],
    busy: Callable[[], float] = busy_cores,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until the machine is calm, at most LIMIT_S seconds. Return "" when it is calm, otherwise a sentence why
    nothing can be measured.

    `say` prints a line every AGAIN_S seconds. `busy`: returns the number of busy cores. `clock` returns the time in s.
    """
    until = clock() + LIMIT_S
    while (cores := busy()) > CALM_CORES:
        if clock() > until:
            return (
                f"the machine was too busy for {LIMIT_S / 60:.0f} min: other programs use {cores:.1f} cores"
            )
        say(f"The machine is too busy to measure: other programs use {cores:.1f} cores. Trying again …")
        sleep(AGAIN_S)
    return ""


def undisturbed(
    make: Callable[[], T],
    say: Callable[[str], None],
    wait: Callable[[Callable[[str], None]], str] = too_busy,
    used: Callable[[], float] = others_s,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Return the result of the measurement `make`, during which other programs used at most CALM_CORES cores.

    If they used more, measure again, at most TIMES times in all. `say` prints a line. `wait`: waits until the
    machine is calm. `used`: returns the CPU time of other programs until now, in s. `clock` returns the time in
    s. Raises BusyError if all results were disturbed, or if the machine does not become calm.
    """
    cores = 0.0
    for _ in range(TIMES):
        if why := wait(say):
            raise BusyError(why)
        began, before = clock(), used()
        made = make()
        cores = (used() - before) / (clock() - began)
        if cores <= CALM_CORES:
            return made
        say(f"Other programs used {cores:.1f} cores during this measurement. Its result is dropped.")
    raise BusyError(f"other programs used {cores:.1f} cores during each of {TIMES} measurements")
