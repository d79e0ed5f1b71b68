"""Tests that our code, compared with other code on the same machine, uses no more CPU than in the last release."""

from __future__ import annotations

import pytest

from tests.benchmarks.ratios import RATIOS, Kept, fallen, kept


@pytest.mark.parametrize("name", RATIOS)
def test_a_ratio_against_the_last_release_has_not_fallen_by_more_than_its_noise(name: str) -> None:
    assert fallen(name, kept()[name]) == 0.0


def test_a_ratio_is_measured_again_on_a_busy_machine_and_a_slower_version_is_found() -> None:
    before = Kept("1.0", ratio=2.0, noise=0.1)
    busy = iter([9.0, 4.0, 2.19])
    assert fallen("x", before, lambda _: next(busy)) == 0.0
    assert fallen("x", before, lambda _: 2.5) == pytest.approx(0.15)
    tries = iter([3.0, 3.0])
    assert fallen("x", before, lambda _: next(tries), tries=2) == pytest.approx(0.4)


def test_every_ratio_has_a_value_of_a_release() -> None:
    assert kept().keys() == RATIOS.keys()
    assert all(0 < one.noise < 1 and one.ratio > 0 and one.release for one in kept().values())
