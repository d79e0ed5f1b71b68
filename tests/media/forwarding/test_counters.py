"""Tests what a relay counts, and how often it logs an unexpected error."""

import dataclasses
from types import SimpleNamespace

import pytest

from media.forwarding import counters
from media.forwarding.counters import LOG_S, Counters


def test_counters_begin_at_nothing() -> None:
    assert set(dataclasses.asdict(Counters()).values()) == {0}


def test_s48_an_error_that_a_party_causes_with_each_packet_is_logged_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimpleNamespace(now_s=1_000.0)
    monkeypatch.setattr(counters, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    found = Counters()
    for second in range(2 * int(LOG_S)):
        clock.now_s = 1_000.0 + second
        try:
            raise IndexError("packet")
        except IndexError:
            found.fault()
    assert found.faults == 2 * LOG_S
    assert [(line.message, line.faults) for line in caplog.records] == [  # type: ignore[attr-defined]
        ("media.fault", 1),
        ("media.fault", 61),
    ]
    assert all(line.exc_info for line in caplog.records)
