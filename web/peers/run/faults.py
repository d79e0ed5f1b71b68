"""Plans the faults of a server during a run: which process is killed or stopped, when, and for how long.

The user of the load tester writes each kind of fault as a text. The same texts with the same seed always give the
same plan. This module does no I/O.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

from web.peers.errors import PlanError
from web.peers.run.arrivals import RATE, UNITS_S, seconds

KILLED, FROZEN, CUT = "killed", "frozen", "cut"
KINDS: Final = (KILLED, FROZEN, CUT)
"""The kinds of faults: a worker is killed; a worker is stopped for a time; the store is stopped for a time.

In the observations, the count with the name of a kind is the number of faults of this kind.
"""
LONGEST_S: Final = 600.0


class Fault(NamedTuple):
    """A fault `at_s` seconds after the start of the run. `for_s`: how long the process is stopped; 0 for KILLED.

    `draw`: a number from 0 to below 1 that chooses the worker.
    """

    at_s: float
    kind: str
    for_s: float
    draw: float


def planned(kill: Iterable[str], freeze: Iterable[str], cut: Iterable[str], seed: int) -> Iterator[Fault]:
    """Yield all faults in the order of their times. If a text plans faults at random times, the iteration never
    ends.

    `kill`, `freeze`, `cut`: texts that plan the faults of one kind. Each is a time (`30s`) or a rate at random times
    (`random:2/min`), for `freeze` and `cut` with a duration (`30s/5s`, `random:2/min/5s`). `seed` decides the random
    times. Raises PlanError if a text is not valid; the call itself raises it, not the iteration.
    """
    texts = [(kind, text) for kind, many in zip(KINDS, (kill, freeze, cut), strict=True) for text in many]
    streams = [_stream(kind, text, Random(f"{seed}/{number}")) for number, (kind, text) in enumerate(texts)]  # noqa: S311 - reproducible
    return heapq.merge(*streams)


def _stream(kind: str, text: str, random: Random) -> Iterator[Fault]:
    moment, duration = text, ""
    if kind != KILLED:
        moment, slash, duration = text.rpartition("/")
        if not slash:
            raise PlanError(f"expected when and for how long, like 30s/5s or random:2/min/5s; found {text!r}")
    for_s = seconds(duration) if duration else 0.0
    if for_s > LONGEST_S or (kind != KILLED and not for_s):
        raise PlanError(f"expected at most {LONGEST_S:.0f} s, and more than 0; found {text!r}")
    chance, _, rate = moment.partition(":")
    if chance != "random":
        return iter([Fault(seconds(moment), kind, for_s, random.random())])
    found = RATE.fullmatch(rate)
    if found is None or not float(found[1]):
        raise PlanError(f"expected a rate at random moments like random:2/min; found {moment!r}")
    per_s = float(found[1]) / UNITS_S[found[2]]
    gaps = (random.expovariate(per_s) for _ in itertools.count())
    return (Fault(at_s, kind, for_s, random.random()) for at_s in itertools.accumulate(gaps))
