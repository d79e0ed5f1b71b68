"""Tests that the list of a comparison names a server that is not available, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.others import setup


def test_a_failed_download_of_a_package_tool_is_reported_without_its_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    for name, script in (("node", "exit 0"), ("npm", "echo https://registry.example/secret >&2; exit 1")):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told: list[str] = []
    with pytest.raises(setup.MissingServerError, match=r"^npm could not fetch it \(exit code 1\)$"):
        setup.node_modules(told.append)
    assert told == [
        f"Setting up socket.io and ws in {tmp_path / 'cache' / 'greenroom' / 'bench' / 'node'}, once …"
    ]


def test_janus_that_is_missing_says_how_it_is_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.MissingServerError, match="--install-janus"):
        setup.janus(print, install=False)
