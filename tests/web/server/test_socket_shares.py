"""Tests how workers share WebSockets evenly: the rule for their number, and when a worker applies it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from web.server.socket_shares import (
    FRESH_S,
    NONE,
    SETTLED_S,
    WINDOW_S,
    Balance,
    Shares,
    surplus,
)


@given(st.integers(0, 5000), st.lists(st.integers(0, 5000), max_size=8))
def test_a_worker_asks_few_to_move_and_never_more_than_are_above_its_share(
    mine: int, others: list[int]
) -> None:
    number = surplus(mine, others)
    fair = (mine + sum(others)) / (1 + len(others))
    assert 0 <= number <= max(1, mine * 0.1 + 1)
    assert number == 0 or mine - number >= fair - 1
    if mine <= fair:
        assert number == 0


@given(st.integers(2, 8), st.integers(0, 2000), st.integers(0, 2**32))
def test_however_uneven_it_begins_the_shares_are_near_to_each_other_within_a_minute(
    workers: int, sockets: int, seed: int
) -> None:
    chance = random.Random(seed)
    held = [0] * workers
    # The kernel gives more connections to some workers than to others.
    weights = [chance.random() + 0.3 for _ in range(workers)]
    held[0] = sockets
    for _ in range(55):
        moves = [surplus(mine, held[:at] + held[at + 1 :]) for at, mine in enumerate(held)]
        held = [mine - number for mine, number in zip(held, moves, strict=True)]
        for at in chance.choices(range(workers), weights, k=sum(moves)):
            held[at] += 1
    assert max(held) <= sockets / workers * 1.4 + 8


def test_sockets_move_for_a_while_after_a_restart_and_at_no_other_time() -> None:
    shares = Shares(2)
    moved: list[int] = []
    balance = Balance(shares, 0, lambda: 100, moved.append)

    def look(now_s: float, other: int | None) -> int:
        moved.clear()
        if other is not None:
            shares.write(1, other, now_s)
        balance.look(now_s)
        return sum(moved)

    assert look(10, None) == 0
    assert look(20, 0) == 0, "the kernel gave one worker all, and nobody had been restarted"
    assert look(30, NONE) == 0
    assert look(31, 0) == 0, "it has just come"
    assert look(30 + SETTLED_S, 0) == 10
    assert look(30 + SETTLED_S + FRESH_S, None) == 0, "the other one stands still"
    assert look(40, 0) == 10
    assert look(40 + WINDOW_S, 0) == 0
