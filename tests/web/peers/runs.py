"""Makes the observations of an invented run, with a clock of its own. The same seed gives the same observations."""

from __future__ import annotations

import random

from web.peers.run.observations import Observations

SPREADS = {
    "arrive": -4.2,
    "queue_seen": -5.5,
    "claim": -6.1,
    "pulled_in": -5.8,
    "started": -5.8,
    "first_frame": -3.1,
}


class Clock:
    """A clock that a test sets; it does not move by itself."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(seed: int = 1, *, patients: int = 400, slower: float = 1.0, lost: int = 3) -> Observations:
    """Return the observations of a run with `patients` patients, 8 per second. `seed`: the seed of the random numbers.

    Each claim takes `slower` times as long as usual; the number of claims that fail is `lost`.
    """
    draw, clock = random.Random(seed), Clock()
    seen = Observations(clock=clock)
    for number in range(patients):
        clock.now += draw.expovariate(8)
        seen.gauge("waiting", draw.randrange(20))
        seen.gauge("server_cpu", draw.uniform(0.3, 0.6))
        seen.gauge("server_rss", 90e6 + number)
        for name, middle in SPREADS.items():
            seconds = draw.lognormvariate(middle, 0.35)
            seen.step(name, seconds * slower if name in ("claim", "pulled_in") else seconds)
        if number < lost:
            seen.error("too_late", "claim: no answer within 30 s")
        else:
            seen.step("journey", draw.uniform(20, 40))
    seen.count("freezes", 2)
    seen.about.plan = {"patients": str(patients), "arrivals": "poisson 8/s", "media": "light"}
    seen.about.command = "greenroom peers http://127.0.0.1:8000 --patients 400 --fail-if 'pulled_in.p99>5ms'"
    seen.about.machine = {"CPU": "a fast one", "cores": "2"}
    seen.about.versions = {"Python": "3.11"}
    return seen
