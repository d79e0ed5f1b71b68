"""Tests when a receiver's picture is paused and sent again: at which loss, round trip and bit rate, after which
times, and to which bit rate the sender is then limited.
"""

from __future__ import annotations

import pytest

from media.forwarding.picture_pause import (
    FLOOR_KBPS,
    WAIT_MAX_S,
    WAIT_S,
    WEAK_S,
    PicturePause,
    is_weak,
    next_limit,
)


def seen(pause: PicturePause, weak: bool | None, seconds: float, begin_s: float) -> float | None:
    """Report to `pause` once a second, for `seconds` from `begin_s` on, whether the network is weak.

    Return the time in s after which `pause.paused` changed, None if it did not. `weak`: the reported result;
    None if nothing was measured.
    """
    for passed in range(int(seconds) + 1):
        if pause.look(weak, begin_s + passed):
            return passed
    return None


@pytest.mark.parametrize(
    ("loss", "rtt_ms", "kbps", "weak"),
    [
        (0.09, 50.0, 150.0, True),
        (0.09, None, 0.0, True),
        (0.0, 1000.5, 150.0, True),
        (0.08, 1000.0, 0.0, False),
        # If more than 150 kbit/s of video arrive, a smaller picture can still help, so the network does not count as
        # weak.
        (0.5, 2000.0, 150.5, False),
        (0.0, None, 0.0, False),
        (None, 2000.0, 0.0, None),
    ],
)
def test_a_network_is_weak_if_sound_suffers_beside_the_smallest_picture(
    loss: float | None, rtt_ms: float | None, kbps: float, weak: bool | None
) -> None:
    assert is_weak(loss, rtt_ms, kbps) is weak


def test_a_picture_is_paused_after_some_seconds_without_a_break_and_comes_back_by_itself() -> None:
    pause = PicturePause()
    assert seen(pause, True, WEAK_S - 1, 100) is None
    for break_ in (False, None):
        assert not pause.look(break_, 110)
        assert seen(pause, True, WEAK_S - 1, 111) is None, "counted anew"
    assert seen(pause, True, WEAK_S, 117) is not None
    assert pause.paused
    assert seen(pause, False, WAIT_S - 1, 200) is None
    for break_ in (True, None):
        assert not pause.look(break_, 210)
        assert seen(pause, False, WAIT_S - 1, 211) is None, "counted anew"
    assert seen(pause, False, WAIT_S, 220) is not None
    assert not pause.paused


def test_each_picture_that_came_back_too_early_doubles_the_next_wait_up_to_a_most() -> None:
    pause, now_s = PicturePause(), 100.0
    waits = []
    for _ in range(6):
        now_s += (seen(pause, True, WEAK_S, now_s) or 0) + 1
        assert pause.paused
        waits.append(seen(pause, False, 2 * WAIT_MAX_S, now_s))
        now_s += (waits[-1] or 0) + 1
    assert waits == [10, 20, 40, 80, 80, 80]


@pytest.mark.parametrize(("lasted_s", "wait_s"), [(29, 20), (30, 10)])
def test_a_picture_that_lasted_half_a_minute_did_not_come_back_too_early(lasted_s: int, wait_s: int) -> None:
    pause = PicturePause()
    assert seen(pause, True, WEAK_S, 100) == 6
    assert seen(pause, False, WAIT_S, 110) == 10
    assert seen(pause, True, WEAK_S, 120 + lasted_s - 6) == 6
    assert seen(pause, False, WAIT_MAX_S, 200) == wait_s


def test_a_sender_sends_little_while_its_receiver_is_paused_and_then_slowly_more() -> None:
    assert next_limit(None, paused=False) is None
    assert next_limit(None, paused=True) == next_limit(2000.0, paused=True) == FLOOR_KBPS
    limits = []
    limit: float | None = FLOOR_KBPS
    while (limit := next_limit(limit, paused=False)) is not None:
        limits.append(limit)
    assert limits[0] == pytest.approx(FLOOR_KBPS * 1.15)
    assert limits == sorted(limits)
    assert limits[-2] < limits[-1] == 2500.0
    assert len(limits) == 21
