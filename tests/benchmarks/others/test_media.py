"""Tests the measurement of the first picture and of the cost of packets, on our relay."""

from __future__ import annotations

import pytest

from tests.benchmarks.others import media


def test_the_first_picture_comes_after_the_second_press_and_packets_cost_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "SETTLE_S", 0.2)
    with media.ours() as server:
        assert media.first(server, "call") > 0
        spent = media.talk(server, 1, 2, 2.0, late=False)
    assert spent.us > 0
