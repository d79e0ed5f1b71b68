"""When a client comes back, and when it does not (PROTOCOL.md#close-codes)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.clients.client import SignallingClient, SignallingError
from signalling.clients.reconnecting import DRAINS, LOST, Held, ReturningClient, pause_s, stays_away

CHANCES = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("code", "stays"),
    [
        (1000, True),
        (1001, False),
        (1006, False),
        (1009, False),
        (4005, False),
        (4199, False),
        (4200, True),
        (4203, True),
    ],
)
def test_only_after_a_bye_and_from_4200_on_a_client_stays_away(code: int, stays: bool) -> None:
    assert stays_away(code) is stays


@given(st.integers(0, 10_000), CHANCES)
def test_pauses_double_from_half_a_second_to_fifteen_with_jitter(attempt: int, chance: float) -> None:
    most_s = min(15.0, 0.5 * 2.0 ** min(attempt, 20))
    assert most_s / 2 <= pause_s(LOST, attempt, chance) <= most_s


@given(st.integers(0, 10_000), CHANCES)
def test_after_a_drain_a_client_is_back_within_two_seconds(attempt: int, chance: float) -> None:
    assert 0 <= pause_s(DRAINS, attempt, chance) < 2


async def test_r26_a_topic_whose_visit_is_gone_is_refused_to_who_holds_it_and_asked_for_no_more() -> None:
    async def connect(**how: object) -> SignallingClient:
        raise OSError

    refused: list[SignallingError] = []
    client = ReturningClient(connect)
    await client.hold("visit/v_1", lambda message: None, refused.append)
    client._listen({"type": "gone", "topic": "visit/v_1"})
    client._listen({"type": "gone", "topic": "visit/v_1"})
    assert [error.code for error in refused] == ["not_found"]


def test_changes_are_shown_where_nothing_had_ever_happened_before() -> None:
    shown: list[int] = []
    held = Held(lambda message: shown.append(message["version"]), lambda _: None)
    held.take({"type": "queue.snapshot", "topic": "queue", "epoch": "", "version": 0})
    held.take({"type": "queue.row", "topic": "queue", "version": 2})
    assert shown == [0, 2]
