"""Tests the plan of a server's faults: how texts such as "10s/5s" are read as times and durations.

The seed decides the random times.
"""

from __future__ import annotations

import itertools

import pytest

from web.peers.errors import PlanError
from web.peers.run.faults import CUT, FROZEN, KILLED, Fault, planned


def first(number: int, *, kill: str = "", freeze: str = "", cut: str = "", seed: int = 1) -> list[Fault]:
    kills, freezes, cuts = ([text] if text else [] for text in (kill, freeze, cut))
    return list(itertools.islice(planned(kills, freezes, cuts, seed), number))


def test_faults_come_in_the_order_of_their_moments_with_their_durations() -> None:
    found = [
        (fault.at_s, fault.kind, fault.for_s)
        for fault in first(9, kill="30s", freeze="10s/5s", cut="1min/3s")
    ]
    assert found == [(10, FROZEN, 5), (30, KILLED, 0), (60, CUT, 3)]


def test_random_moments_are_as_many_as_the_rate_says_and_the_same_for_a_seed() -> None:
    found = first(2000, kill="random:6/min")
    assert [fault.at_s for fault in found] == sorted(fault.at_s for fault in found)
    assert 18_000 < found[-1].at_s < 22_000
    assert all(0 <= fault.draw < 1 for fault in found)
    assert found == first(2000, kill="random:6/min")
    assert found != first(2000, kill="random:6/min", seed=2)
    assert {fault.for_s for fault in first(9, cut="random:2/min/250ms")} == {0.25}


@pytest.mark.parametrize(
    "words",
    [
        {"kill": "soon"},
        {"kill": "random:0/min"},
        {"kill": "random:2"},
        {"freeze": "30s"},
        {"freeze": "30s/0s"},
        {"cut": "30s/1h"},
        {"cut": "/3s"},
    ],
    ids=str,
)
def test_a_text_that_is_no_fault_is_refused_before_the_run_begins(words: dict[str, str]) -> None:
    kills, freezes, cuts = ([words[name]] if name in words else [] for name in ("kill", "freeze", "cut"))
    with pytest.raises(PlanError, match="expected"):
        planned(kills, freezes, cuts, 1)
