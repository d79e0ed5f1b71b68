"""Tests a run of the benchmark command: it measures the real server, shows a table, and writes its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.benchmarks import run
from tests.benchmarks.__main__ import app
from tests.benchmarks.options import NAMES
from tests.benchmarks.server import BenchServer
from web.server.throwaway import Throwaway


def test_quick_claims_on_the_real_server_have_one_winner_each_and_every_assignment_rings(
    server: Throwaway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    organisations = iter(("claims", "assignments"))

    @contextmanager
    def running_server(workers: int) -> Iterator[BenchServer]:
        yield BenchServer(server, next(organisations))

    monkeypatch.setattr(run, "running_server", running_server)
    said, page = tmp_path / "figures.json", tmp_path / "figures.md"
    words = "--quick --alone --only claim --only assign".split()
    ended = CliRunner().invoke(app, [*words, "--json", str(said), "--markdown", str(page)])
    assert ended.exit_code == 0, ended.output
    report = json.loads(said.read_text())
    assert report["skipped"] == []
    figures = {figure["id"]: figure["value"] for figure in report["figures"]}
    assert figures["claim_wrong"] == 0
    assert figures["claim_unseen"] == 0
    assert 0 < figures["claim_p50_ms"] <= figures["claim_p99_ms"]
    assert figures["assign_unheard"] == 0
    assert 0 < figures["assign_p50_ms"] <= figures["assign_p99_ms"]
    assert "| claim to the patient’s page on the other worker, p99 |" in page.read_text()
    assert "claim to the patient’s page" in ended.output
    # The output is no terminal, so each part is a line.
    assert "Claim race: begins" in ended.output
    assert "Assignment: over after" in ended.output


def test_an_unknown_measurement_is_refused_with_the_names_of_all_measurements() -> None:
    ended = CliRunner().invoke(app, ["--only", "speed"])
    assert ended.exit_code == 2
    assert all(name in ended.output for name in NAMES)
