"""Tests the pauses between the attempts to restore a resumed connection, for instance to its visit's room."""

from __future__ import annotations

from itertools import pairwise

from signalling.sockets.handshake import RESTORE_PAUSES_S


def test_a_connection_is_restored_soon_after_a_short_failure_and_then_tried_less_and_less_often() -> None:
    assert RESTORE_PAUSES_S[0] <= 0.2
    assert all(later_s >= 2 * pause_s for pause_s, later_s in pairwise(RESTORE_PAUSES_S))
    assert 5 < sum(RESTORE_PAUSES_S) < 10
