"""Tests that a program of another server that cannot be installed is reported with the reason."""

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


def test_the_error_about_a_missing_janus_names_the_option_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.MissingServerError, match="--install-janus"):
        setup.janus(print, install=False)


def test_mediasoup_is_left_out_with_its_reason_if_there_is_no_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("node", "npm", "make"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 0\n", "utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.MissingServerError, match=r"^a C\+\+ compiler \(g\+\+\) is not installed$"):
        setup.mediasoup(print)


def test_a_failed_build_of_mediasoup_is_one_line_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = "node_modules/mediasoup/worker"
    files = " ".join({f"{worker}/{name}" for name, _, _ in setup.MEDIASOUP_PATCHES})
    scripts = {
        "node": "exit 0",
        "npm": f"mkdir -p $(dirname {files}) {worker}/scripts; touch {files}; exec touch {worker}/scripts/configure.py",
        "make": "echo many; echo lines >&2; exit 2",
        "g++": "exit 0",
    }
    (tmp_path / "bin").mkdir()
    for name, script in scripts.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", "utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told: list[str] = []
    for _ in range(2):
        with pytest.raises(setup.MissingServerError, match=r"^make could not build it \(exit code 2\)$"):
            setup.mediasoup(told.append)
    assert len(told) == 2
