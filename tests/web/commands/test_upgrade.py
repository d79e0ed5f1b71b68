"""Tests what `greenroom upgrade` prints and its exit codes. The test's own process answers as the server's master."""

import json
import os
import signal
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.limits import WAIT_S
from web.commands import upgrade
from web.commands.main import app
from web.errors import ConfigError
from web.server.handover import Steps
from web.server.valkey import LockedFolder

TRYING: dict[str, Any] = {"step": "trying", "version": "0.0.9", "process": 1, "workers": 2}
TAKEN: dict[str, Any] = {"step": "taken_over", "version": metadata.version("greenroom"), "workers": 2}
SERVES = [{"step": "serves", "worker": f"w{index + 2}-b", "instead_of": f"w{index}-a"} for index in range(2)]
DONE: dict[str, Any] = {"step": "done", "version": "0.1.0", "workers": ["w2-b", "w3-b"]}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that this process has locked, as the master of a running server does."""
    lock = LockedFolder(tmp_path)
    lock.serves("http://127.0.0.1:1")
    yield tmp_path
    lock.close()


def called(
    folder: Path, monkeypatch: pytest.MonkeyPatch, steps: list[dict[str, Any]], *options: str
) -> tuple[Result, list[list[str]]]:
    """Run `greenroom upgrade` while the test's process, as the master, reports these steps of the upgrade.

    Return (the result of the command, the programs that it asked the master to start).
    """
    monkeypatch.setattr(upgrade, "ANSWERS_S", WAIT_S if steps else 0.3)
    programs: list[list[str]] = []

    def answer(*_: object) -> None:
        reported = Steps(folder)
        request = reported.asked()
        assert request is not None
        programs.append(request.program)
        for step in steps:
            reported.say(**step)

    before = signal.signal(signal.SIGUSR2, answer)
    try:
        return CliRunner().invoke(app, ["upgrade", "--data", str(folder), *options]), programs
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_each_worker_is_shown_and_the_end_says_which_version_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, programs = called(folder, monkeypatch, [TRYING, TAKEN, *SERVES, DONE])
    assert found.exit_code == 0
    assert "w2-b serves; w0-a stops (1 of 2)." in found.stderr
    assert "w3-b serves; w1-a stops (2 of 2)." in found.stderr
    assert "it ran 0.0.9 before" in found.stdout
    assert all(os.path.isabs(program[0]) for program in programs)
    found, _ = called(folder, monkeypatch, [TRYING, TAKEN, *SERVES, DONE], "--json")
    assert json.loads(found.stdout)["workers"] == ["w2-b", "w3-b"]
    assert not found.stderr
    found, _ = called(folder, monkeypatch, [TRYING, {"step": "tried"}], "--check")
    assert found.exit_code == 0
    assert "can take the server over" in found.stdout


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([TRYING, {"step": "refused", "problem": "no port is free"}], "0.0.9 goes on: no port is free"),
        ([TRYING, TAKEN, {"step": "worker_failed", "worker": "w2-b"}], "the workers before it go on"),
        ([TRYING, {**TAKEN, "version": "0.0.9"}], "the server runs 0.0.9 now"),
        ([], "it is of a version that cannot be upgraded while it runs"),
    ],
)
def test_an_upgrade_that_does_not_succeed_exits_1_with_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, steps: list[dict[str, Any]], sentence: str
) -> None:
    found, _ = called(folder, monkeypatch, steps)
    assert found.exit_code == 1
    assert sentence in found.stderr


def test_a_second_upgrade_waits_for_the_end_of_the_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Steps(folder).say(**TRYING)
    found, programs = called(folder, monkeypatch, [])
    assert found.exit_code == 1
    assert "another upgrade" in found.stderr
    assert not programs


def test_without_a_running_server_there_is_nothing_to_upgrade(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["upgrade", "--data", str(tmp_path)])
    assert isinstance(found.exception, ConfigError), "exit code 2"
    assert "no Greenroom is running" in str(found.exception)
