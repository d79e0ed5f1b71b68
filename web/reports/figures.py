"""Calculates figures of past visits: waits, claims, outcomes, answers to the survey, by day, hour, provider and tag.

It uses records of visits and an organisation's time zone; the result names no patient. Durations are in ms, and None
if there is no visit from which to calculate them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from signalling.visit.record import Outcome, Visit

K = TypeVar("K", bound=Hashable)


class Past(NamedTuple):
    """The data of one past visit for reports. `wait_ms` is None if the visit was not claimed."""

    arrived: datetime
    outcome: Outcome
    provider: tuple[str, str] | None
    """The id and name of the provider who claimed the visit last; None if nobody claimed it."""
    wait_ms: int | None
    talked_ms: int
    returned: int
    booked: bool
    tags: tuple[str, ...] = ()
    answer: int | None = None
    """The number of the chosen option in the survey, from 1; None if the patient has not answered the survey."""
    comment: str = ""


class Summary(NamedTuple):
    """The figures of a group of visits, such as the visits of one day."""

    visits: int
    claims: int
    outcomes: dict[Outcome, int]
    wait_median_ms: int | None
    wait_p90_ms: int | None
    talked_median_ms: int | None
    returned: int
    booked: int


class Report(NamedTuple):
    """The report about a range of days.

    Every day of the range and every hour has figures, even if it has no visits.
    """

    total: Summary
    days: dict[date, Summary]
    hours: dict[int, Summary]
    providers: dict[tuple[str, str], Summary]
    tags: dict[str, Summary]
    answers: dict[int, int]
    """Number of an option in the survey -> how often patients chose it."""
    comments: list[Past]
    """The visits whose patient wrote something in the survey, the newest first."""


CHOICES = range(1, 6)


def past(visit: Visit, zone: ZoneInfo) -> Past:
    """Return the data of an ended visit for a report; the time of its arrival is in the time zone `zone`.

    The wait of a booked visit begins at the booked time, not at an earlier arrival.
    """
    begun_ms = max(visit.arrived_ms, visit.booked_ms or 0)
    wait_ms = None if visit.claimed_ms is None else max(0, visit.claimed_ms - begun_ms)
    provider = None if visit.claimant is None else (visit.claimant.id, visit.claimant.name)
    return Past(
        arrived=datetime.fromtimestamp(visit.arrived_ms / 1000, UTC).astimezone(zone),
        outcome=visit.outcome or Outcome.EXPIRED,
        provider=provider,
        wait_ms=wait_ms if provider is not None else None,
        talked_ms=visit.talked_ms,
        returned=visit.returned,
        booked=visit.booked_ms is not None,
        tags=visit.tags,
        answer=None if visit.survey is None else visit.survey.choice,
        comment="" if visit.survey is None else visit.survey.text,
    )


def report(found: Sequence[Past], first: date, last: date) -> Report:
    """Return the report about the visits `found`, with figures for each day from `first` to `last` and each hour.

    A visit belongs to the day and hour of its arrival.
    """
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    providers = {one.provider: None for one in found if one.provider is not None}
    tags = sorted({tag for one in found for tag in one.tags}, key=str.casefold)
    names = sorted(providers, key=lambda provider: (provider[1].casefold(), provider[0]))
    return Report(
        total=summary(found),
        days=_grouped(found, days, lambda one: one.arrived.date()),
        hours=_grouped(found, range(24), lambda one: one.arrived.hour),
        providers=_grouped(
            [one for one in found if one.provider is not None], names, lambda one: one.provider or ("", "")
        ),
        tags={tag: summary(one for one in found if tag in one.tags) for tag in tags},
        answers={choice: sum(one.answer == choice for one in found) for choice in CHOICES},
        comments=sorted((one for one in found if one.comment), key=lambda one: one.arrived, reverse=True),
    )


def summary(found: Iterable[Past]) -> Summary:
    """Return the figures of a group of visits, `found`."""
    visits = list(found)
    waits = [one.wait_ms for one in visits if one.wait_ms is not None]
    talks = [one.talked_ms for one in visits if one.talked_ms]
    outcomes = [one.outcome for one in visits]
    return Summary(
        visits=len(visits),
        claims=len(waits),
        outcomes={outcome: outcomes.count(outcome) for outcome in Outcome},
        wait_median_ms=percentile(waits, 50),
        wait_p90_ms=percentile(waits, 90),
        talked_median_ms=percentile(talks, 50),
        returned=sum([one.returned for one in visits]),
        booked=sum([one.booked for one in visits]),
    )


def percentile(values: Iterable[int], share: int) -> int | None:
    """Return the percentile `share` (0 to 100) of the values, by the nearest-rank method; None for no values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else None


def _grouped(found: Iterable[Past], keys: Iterable[K], key: Callable[[Past], K]) -> dict[K, Summary]:
    groups: dict[K, list[Past]] = {one: [] for one in keys}
    for one in found:
        if (at := key(one)) in groups:
            groups[at].append(one)
    return {at: summary(visits) for at, visits in groups.items()}
