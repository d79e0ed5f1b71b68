"""Plans when synthetic patients arrive, and how long people take for the setup guide and the call.

A plan is made from texts that the user of the load tester types, and from a seed; the same texts and seed always give
the same plan. This module reads no file: the text of a recorded day is an argument. `Arrivals.parse` parses
`steady:2/s`, `poisson:30/min`, `burst:50/10s`, `at-once`, `stages:5/s@30s,5/s@2min,0/s@30s` and `day:FILE`;
`Span.parse` parses `30s`, `5s..20s` and `~8s`.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from random import Random

from web.peers.errors import PlanError

UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?")
RATE = re.compile(r"(\d+(?:\.\d+)?)/(ms|s|min|m|h)")
BURST = re.compile(r"(\d+)/(\d+(?:\.\d+)?(?:ms|s|min|m|h)?)")
# A random duration with an exponential distribution is at most this multiple of its mean, so that no run waits long
# for one person.
LONGEST = 12.0
MOST_PATIENTS = 1_000_000
"""The greatest number of patients in a plan; a pattern of arrivals with more is refused."""


def seconds(text: str) -> float:
    """Return a duration such as `250ms`, `30s`, `2min`, `1h` or plain seconds, in s.

    Raises PlanError for any other text.
    """
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise PlanError(f"expected a duration like 250ms, 30s or 2min; found {text!r}")
    return float(found[1]) * UNITS_S[found[2] or "s"]


@dataclass(frozen=True, slots=True)
class Span:
    """A rule for durations: uniformly random from `low_s` to `high_s`, or exponential with the mean `mean_s`.

    If `low_s` and `high_s` are equal, each duration is this value. If `mean_s` is 0, the rule is not exponential.
    """

    low_s: float = 0.0
    high_s: float = 0.0
    mean_s: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Span:
        """Parse `30s` (fixed), `5s..20s` (uniform) or `~8s` (exponential with this mean).

        Raises PlanError for any other text.
        """
        if text.startswith("~"):
            return cls(mean_s=seconds(text[1:]))
        low, dots, high = text.partition("..")
        span = cls(seconds(low), seconds(high) if dots else seconds(low))
        if span.high_s < span.low_s:
            raise PlanError(f"expected the shorter time first; found {text!r}")
        return span

    def draw(self, random: Random) -> float:
        """Return a duration in s by this rule. `random`: the generator of random numbers to use."""
        if self.mean_s:
            return min(random.expovariate(1 / self.mean_s), LONGEST * self.mean_s)
        return random.uniform(self.low_s, self.high_s)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A pattern of arrivals: a `rate` per second, bursts of `size` every `interval_s`, stages, or recorded times.

    `stages`: the duration of each stage in s, and the rate per second at its end. The rate is 0 before the first
    stage, and changes evenly within a stage.
    """

    kind: str
    rate: float = 0.0
    size: int = 0
    interval_s: float = 0.0
    recorded_s: tuple[float, ...] = ()
    stages: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Raise PlanError if no patient would ever arrive."""
        needed = {
            "steady": self.rate,
            "poisson": self.rate,
            "burst": self.size,
            "day": len(self.recorded_s),
            "stages": sum(over_s for over_s, _ in self.stages) and max(rate for _, rate in self.stages),
        }
        if not needed.get(self.kind, 0) > 0:
            raise PlanError(f"expected a way to arrive; found {self.kind!r} of nothing")

    @classmethod
    def parse(cls, text: str, recorded: str = "") -> Arrivals:
        """Parse a pattern of arrivals, such as `steady:2/s`, `burst:50/10s` or `day:FILE`.

        `recorded`: the content of the file that `day:FILE` names. Raises PlanError if `text` is not a pattern.
        """
        kind, _, rest = text.partition(":")
        if kind in ("steady", "poisson") and (rate := RATE.fullmatch(rest)) and float(rate[1]):
            return cls(kind, rate=float(rate[1]) / UNITS_S[rate[2]])
        if kind == "burst" and (burst := BURST.fullmatch(rest)) and int(burst[1]):
            return cls(kind, size=int(burst[1]), interval_s=seconds(burst[2]))
        if text == "at-once":
            return cls("burst", size=1_000_000_000)
        if kind == "stages" and (stages := [_stage(one) for one in rest.split(",")]) and None not in stages:
            return cls(kind, stages=tuple(stage for stage in stages if stage))
        if kind == "day" and rest:
            _, _, speed = rest.partition("@")
            return cls(kind, recorded_s=_faster(recorded_day(recorded), speed))
        raise PlanError(
            f"expected steady:2/s, poisson:30/min, burst:50/10s, at-once, stages:5/s@30s,0/s@1min or day:FILE "
            f"(day:FILE@60: 60 times as fast); found {text!r}"
        )

    def times(self, patients: int, random: Random) -> list[float]:
        """Return the times of the first `patients` arrivals, in s from the beginning of the run, in order.

        If a recorded day has fewer than `patients` arrivals, the day is repeated after its last arrival. Stages are not
        repeated: if they have fewer arrivals than `patients`, fewer times are returned.
        """
        return list(itertools.islice(self._all(random), patients))

    def patients(self, seed: int, duration_s: float = math.inf) -> int:
        """Return the number of patients of a plan with this seed who arrive within `duration_s` seconds.

        Raises PlanError if the arrivals never end, or if there are more than MOST_PATIENTS.
        """
        if self.kind != "stages" and math.isinf(duration_s):
            raise PlanError("expected a number of patients or a duration")
        random = Random(seed)  # noqa: S311 - `visitors` uses the same seed
        within = itertools.takewhile(lambda at_s: at_s < duration_s, self._all(random))
        found = sum(1 for _ in itertools.islice(within, MOST_PATIENTS + 1))
        if found > MOST_PATIENTS:
            raise PlanError(
                f"expected arrivals of at most {MOST_PATIENTS:,} patients in that time; found more"
            )
        return found

    def _all(self, random: Random) -> Iterator[float]:
        at_s = 0.0
        if self.kind == "steady":
            yield from (number / self.rate for number in itertools.count())
        elif self.kind == "poisson":
            while True:
                at_s += random.expovariate(self.rate)
                yield at_s
        elif self.kind == "burst":
            for burst in itertools.count():
                yield from itertools.repeat(burst * self.interval_s, self.size)
        elif self.kind == "stages":
            yield from _staged(self.stages)
        else:
            for again in itertools.count():
                yield from (again * (self.recorded_s[-1] + 1) + one for one in self.recorded_s)


def _stage(text: str) -> tuple[float, float] | None:
    """Parse a stage, such as `5/s@30s`: return its duration in s and the rate per second at its end.

    Returns None if the text is not a stage.
    """
    rate, at, over = text.strip().partition("@")
    found = RATE.fullmatch(rate)
    return (seconds(over), float(found[1]) / UNITS_S[found[2]]) if found and at else None


def _staged(stages: tuple[tuple[float, float], ...]) -> Iterator[float]:
    """Yield the times in s at which the expected number of arrivals is 0.5, 1.5, 2.5 and so on.

    The expected number is the integral of the rate over time.
    """
    begins_s = rate = expected = 0.0
    number = 0.5
    for over_s, to_rate in stages:
        slope = (to_rate - rate) / over_s if over_s else 0.0
        whole = (rate + to_rate) / 2 * over_s
        while number <= expected + whole and whole:
            # The arrival is x seconds after the start of the stage, where rate * x + slope * x² / 2 = needed.
            needed = number - expected
            root = math.sqrt(max(0.0, rate * rate + 2 * slope * needed))
            yield begins_s + min(over_s, 2 * needed / (rate + root))
            number += 1
        begins_s, rate, expected = begins_s + over_s, to_rate, expected + whole


@dataclass(frozen=True, slots=True)
class Visitor:
    """One planned patient.

    It has the time of arrival, the times that the patient takes for the guide and for the call (all in s), and a seed
    for all other choices.
    """

    number: int
    arrives_s: float
    fill_in_s: float
    talk_s: float
    seed: int


def visitors(
    patients: int, arrivals: Arrivals, fill_in: Span, talk: Span, seed: int, part: tuple[int, int] = (1, 1)
) -> list[Visitor]:
    """Return the planned patients of one part of a plan, in order of arrival.

    `part`: (k, n) for part k of n; all n parts together are the whole plan. `patients`: the greatest number of patients
    in the whole plan; there are fewer if the arrivals end. `fill_in` and `talk`: the time that the guide and the call
    take. `seed`: the same seed gives the same patients.
    """
    random = Random(seed)  # noqa: S311 - the same seed must give the same plan
    planned = [
        Visitor(number, at_s, fill_in.draw(random), talk.draw(random), random.getrandbits(32))
        for number, at_s in enumerate(arrivals.times(patients, random), 1)
    ]
    return planned[part[0] - 1 :: part[1]]


def recorded_day(text: str) -> tuple[float, ...]:
    """Return the arrivals of a recorded day, in s after the first arrival, from a text with one time per line or a CSV.

    A time is `HH:MM`, `HH:MM:SS`, an ISO date and time, or seconds. A CSV, such as that of the Reports page, has the
    times in its column `arrived`. Raises PlanError if the text has no such times.
    """
    rows = [
        row for row in csv.reader(io.StringIO(text)) if row and row[0].strip() and row[0].strip()[0] != "#"
    ]
    column = 0
    if rows and "arrived" in (head := [cell.strip() for cell in rows[0]]):
        column, rows = head.index("arrived"), rows[1:]
    try:
        found = sorted(_time_s(row[column].strip()) for row in rows)
    except (ValueError, IndexError):
        raise PlanError(
            "expected a recorded day: one arrival a line, as 09:30, an ISO time or seconds"
        ) from None
    if not found:
        raise PlanError("expected a recorded day with at least one arrival")
    return tuple(at_s - found[0] for at_s in found)


def _time_s(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if "T" in text or "-" in text:
        return datetime.fromisoformat(text).timestamp()
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6


def _faster(times_s: tuple[float, ...], speed: str) -> tuple[float, ...]:
    try:
        by = float(speed or 1)
    except ValueError:
        by = 0.0
    if by <= 0:
        raise PlanError(f"expected how many times as fast after the @; found {speed!r}")
    return tuple(at_s / by for at_s in times_s)
