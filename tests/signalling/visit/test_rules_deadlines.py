"""Tests the rules that apply at a deadline, without a command: each exactly at its millisecond."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from signalling.visit import commands as c
from signalling.visit.record import Policy, Status, Visit
from signalling.visit.relations import PATIENT as PATIENTS_SIDE
from signalling.visit.relations import PROVIDER, Decided
from signalling.visit.rules import (
    DEADLINES,
    decide,
    next_deadline_ms,
)
from tests.signalling.visits import (
    ADMIN,
    CLAIMANT,
    PATIENT,
    SYSTEM,
    T0,
    assigned,
    away,
    claimed,
    context,
    does,
    live,
    queued,
    refused,
)

POLICY = Policy()


def due(visit: Visit, now_ms: int) -> tuple[Visit, str | None]:
    """Return (the visit after one check of its deadlines, the kind of the event or None)."""
    decided = decide(visit, c.Due(), SYSTEM, context(now_ms))
    assert isinstance(decided, Decided)
    return decided.visit, decided.event.kind if decided.event is not None else None


CASES: dict[str, tuple[Callable[[], Visit], int, Status]] = {
    "expired": (lambda: away(queued(), PATIENTS_SIDE), POLICY.away_expiry_ms, Status.ENDED),
    "assignment_lapsed": (assigned, POLICY.assignment_ms, Status.QUEUED),
    "returned": (lambda: away(claimed(), PROVIDER), POLICY.return_grace_ms, Status.QUEUED),
    "paused": (lambda: away(live(), PATIENTS_SIDE), POLICY.grace_ms, Status.CLAIMED),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_deadline_is_kept_to_the_millisecond_and_once(kind: str) -> None:
    make, after_ms, status = CASES[kind]
    visit = make()
    assert next_deadline_ms(visit, POLICY) == T0 + after_ms
    assert due(visit, T0 + after_ms - 1) == (visit, None)
    happened, event = due(visit, T0 + after_ms)
    assert (event, happened.status, happened.version) == (kind, status, visit.version + 1)
    again, nothing = due(happened, T0 + after_ms)
    assert (again, nothing) == (happened, None)


def test_every_deadline_has_a_case() -> None:
    assert {row.event for row in DEADLINES} == set(CASES)


@pytest.mark.parametrize(("side", "other"), [(PATIENTS_SIDE, PROVIDER), (PROVIDER, PATIENTS_SIDE)])
def test_a_party_away_for_longer_than_the_grace_must_press_start_again(side: str, other: str) -> None:
    paused, _ = due(away(live(), side, T0 + 1000), T0 + 1000 + POLICY.grace_ms)
    assert (paused.status, paused.talked_ms) == (Status.CLAIMED, 1000 + POLICY.grace_ms)
    assert paused.parties[side].started_ms is None
    assert paused.parties[other].started_ms is not None


def test_a_party_back_within_the_grace_need_not_press_start_again() -> None:
    visit = does(away(live(), PATIENTS_SIDE), c.Enter("c_2", "w2"), PATIENT, T0 + POLICY.grace_ms - 1)
    assert next_deadline_ms(visit, POLICY) is None
    assert due(visit, T0 + POLICY.away_expiry_ms) == (visit, None)


def test_a_visit_whose_claimant_stays_away_returns_on_top_with_its_presses_cleared() -> None:
    visit, event = due(away(live(), PROVIDER), T0 + POLICY.return_grace_ms)
    assert (event, visit.status, visit.arrived_ms, visit.claimant) == ("returned", Status.QUEUED, T0, None)
    assert visit.parties[PATIENTS_SIDE].started_ms is None


def test_only_the_server_may_send_due() -> None:
    for actor in (PATIENT, CLAIMANT, ADMIN):
        assert refused(away(queued(), PATIENTS_SIDE), c.Due(), actor, T0 * 2).code == "not_allowed"
