"""Tests the measurement of fan-out: updates reach every socket, and a server that is not available is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import fanout
from tests.benchmarks.server import BenchServer


def test_every_client_receives_every_row_and_a_missing_server_is_named_with_the_reason(
    ours: BenchServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    made = fanout.measure(ours, fanout.Size(20, 1, 0.4, 1, 10), ["socket.io"], print, print)
    assert [(skipped.name, skipped.why) for skipped in made.skipped] == [
        ("socket.io", "Node is not installed")
    ]
    figures = {figure.id: figure.value for figure in made.figures}
    for name in ("fanout_us", "fanout_burst_us", "fanout_flood_us", "fanout_last_p50_ms", "fanout_store_us"):
        assert figures[name] > 0, name
