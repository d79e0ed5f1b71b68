"""Machines that coordinate over the network: helpers join a run, and what cannot be joined is said in a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import RunningServer
from tests.web.site import LIND, OSEI
from web import demo
from web.config import parse
from web.peers.observations import Observations

GREENROOM = str(Path(sys.executable).with_name("greenroom"))
LONG_S = 60.0  # until something must have happened, on a machine with much to do
KEY = "a key of more than sixteen letters"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One real server for all of these tests."""
    running = RunningServer(tmp_path_factory.mktemp("afar"), {"server": {"port": 0}})
    yield running.wait()
    running.stop()


@pytest.fixture(scope="module")
def staff(server: RunningServer) -> Path:
    """A file of credentials."""
    settings = parse({"data": {"folder": str(server.data)}}, "test")
    path = server.folder / "staff"
    path.write_text("".join(f"{email} {demo.password(settings, email)}\n" for email in (OSEI, LIND)))
    return path


class Machine:
    """A `greenroom peers` that runs as on a machine of its own, and what it has said so far."""

    def __init__(self, *words: object, **environment: str) -> None:
        self.said = ""
        self.process = subprocess.Popen(
            [GREENROOM, "peers", *map(str, words)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said += line
                self._news.notify_all()

    def until(self, text: str) -> str:
        """The line with this text, once it has been said."""
        with self._news:
            assert self._news.wait_for(lambda: text in self.said, LONG_S), self.said
            return next(line for line in self.said.splitlines() if text in line)

    def ended(self) -> int:
        """Its exit code."""
        try:
            code = self.process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end: {self.said}") from None
        self._reader.join(LONG_S)
        assert "Traceback" not in self.said, self.said
        return code

    def helpers_command(self) -> list[str]:
        """What it wants to be typed elsewhere, on this machine's own address."""
        return self.until("greenroom peers join ").split()[2:]


Start = Callable[..., Machine]


@pytest.fixture
def machine() -> Iterator[Start]:
    """Starts machines, and ends those that are left."""
    started: list[Machine] = []

    def start(*words: object, **environment: str) -> Machine:
        started.append(Machine(*words, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()


@pytest.fixture
def coordinator(machine: Start, server: RunningServer, staff: Path) -> Start:
    """Starts a run that waits for helpers."""

    def start(*words: object, **environment: str) -> Machine:
        listen = ("--listen", "127.0.0.1:0", "--credentials", staff)
        return machine(f"{server.url}/demo", *listen, *words, **environment)

    return start


def test_helpers_drive_their_shares_and_one_report_holds_what_all_of_them_saw(
    coordinator: Start, machine: Start, staff: Path, tmp_path: Path
) -> None:
    first = coordinator(
        *("--helpers", 2, "-n", 9, "-p", 3, "-a", "steady:20/s", "--fill-in", "10ms..50ms"),
        *("--report", tmp_path / "r", "--fail-if", "errors>0", "--fail-if", "journey.count<9"),
    )
    command = first.helpers_command()
    helpers = [machine(*command, "--credentials", staff) for _ in range(2)]
    assert [one.ended() for one in helpers] == [0, 0], [one.said for one in helpers]
    assert first.ended() == 0, first.said
    assert "0 of 2 helpers have joined" in first.said
    assert "1 of 2 helpers has joined" in first.said
    assert "2 of 2 helpers have joined" in first.said
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert len(seen.steps["journey"]) == 9
    assert len(seen.gauges["waiting"]) == 3  # of each process one
    assert seen.duration_s < LONG_S
    assert seen.about.plan["helpers"] == "2"
    report = "".join(file.read_text() for file in (tmp_path / "r").iterdir())
    assert command[-1] not in report
    for one in helpers:
        assert "3 patients will come from here" in one.said
