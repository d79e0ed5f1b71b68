"""Tests runs over the network: helpers join a run, get lost, and are informed of its end.

A helper is a process, usually on another machine, that plays a share of the people of the run.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from tests.server import RunningServer
from web.peers.people.people import Provider
from web.peers.run.observations import Observations

GREENROOM = str(Path(sys.executable).with_name("greenroom"))
KEY = "a key of more than sixteen letters"
LONG_S = 2 * WAIT_S  # each test starts several programs at the same time


class Machine:
    """A process of `greenroom peers` that represents one machine of a run. `said`: its output so far."""

    def __init__(self, *words: object, **environment: str) -> None:
        self.said, self._silent = "", False
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
        with self._news:
            self._silent = True
            self._news.notify_all()

    def until(self, text: str) -> str:
        """Wait for the first line of output with this text, and return the line. Raises AssertionError after LONG_S."""
        with self._news:
            self._news.wait_for(lambda: text in self.said or self._silent, LONG_S)
            assert text in self.said, self.said
            return next(line for line in self.said.splitlines() if text in line)

    def until_arrived(self, number: int) -> None:
        """Wait until the process has printed that this number of patients have arrived. Raises AssertionError after
        LONG_S.
        """

        def come() -> bool:
            return any(int(told) >= number for told in re.findall(r"(\d+) of \d+ arrived", self.said))

        with self._news:
            self._news.wait_for(lambda: come() or self._silent, LONG_S)
            assert come(), self.said

    def ended(self) -> int:
        """Wait for the end of the process; return its exit code. Raises AssertionError after LONG_S."""
        try:
            code = self.process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end: {self.said}") from None
        self._reader.join(WAIT_S)
        assert "Traceback" not in self.said, self.said
        return code

    def dies(self) -> None:
        """Kill all processes of the machine at once, as if it lost its power."""
        if self.process.poll() is None:  # if the process has ended, another process may have its id by now
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LONG_S)

    def helpers_command(self) -> list[str]:
        """Return the command that the process prints for the helpers (other machines that join the run), as a list of
        words.
        """
        return self.until("greenroom peers join ").split()[2:]


Start = Callable[..., Machine]


@pytest.fixture
def machine() -> Iterator[Start]:
    """A function that starts a machine. Machines that still run after the test are killed."""
    started: list[Machine] = []

    def start(*words: object, **environment: str) -> Machine:
        started.append(Machine(*words, **environment))
        return started[-1]

    yield start
    for one in started:
        one.dies()


@pytest.fixture
def coordinator(machine: Start, server: RunningServer, staff: Path) -> Start:
    """A function that starts a run which waits for helpers (processes that play a share of the run)."""

    def start(*words: object, **environment: str) -> Machine:
        listen = ("--listen", "127.0.0.1:0", "--credentials", staff)
        return machine(f"{server.url}/demo", *listen, *words, **environment)

    return start


def test_helpers_drive_their_shares_and_one_report_holds_what_all_of_them_saw(
    coordinator: Start, machine: Start, staff: Path, tmp_path: Path
) -> None:
    began_s = time.monotonic()
    first = coordinator(
        *("--helpers", 2, "-n", 9, "-p", 3, "-a", "steady:20/s", "--fill-in", "10ms..50ms"),
        *("--report", tmp_path / "r", "--fail-if", "errors>0", "--fail-if", "journey.count<9"),
    )
    command = first.helpers_command()
    helpers = [machine(*command, "--credentials", staff) for _ in range(2)]
    assert [one.ended() for one in helpers] == [0, 0], [one.said for one in helpers]
    assert first.ended() == 0, first.said
    assert "0 of 2 helpers have joined" in first.said
    assert "1 of 2 helpers have joined" in first.said
    assert "2 of 2 helpers have joined" in first.said
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert len(seen.steps["journey"]) == 9
    assert len(seen.gauges["waiting"]) == 3  # each of the three processes has written this gauge
    assert seen.duration_s < time.monotonic() - began_s
    assert seen.about.plan["helpers"] == "2"
    report = "".join(file.read_text() for file in (tmp_path / "r").iterdir())
    assert command[-1] not in report
    assert "helper 2 (" in report
    for one in helpers:
        assert "3 patients will come from here" in one.said


# --- tests of how a run ends


LONG_RUN = ("-n", 1000, "-a", "steady:20/s", "-p", 3, "--talk", "30s")


async def _rows(server: RunningServer, staff: str) -> dict[str, dict[str, object]]:
    email, password = staff.splitlines()[0].split(" ", 1)
    async with Provider(f"{server.url}/demo", email, password) as provider:
        await provider.sign_in()
        return dict(provider.rows)


def test_ctrl_c_at_a_helper_ends_its_share_and_at_the_coordinator_the_run_and_both_are_reported(
    coordinator: Start, machine: Start, server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    before = asyncio.run(_rows(server, staff.read_text()))
    first = coordinator(*LONG_RUN, "--helpers", 2, "--report", tmp_path / "r", GREENROOM_PEERS_KEY=KEY)
    command = first.helpers_command()
    assert KEY not in first.said
    helpers = [machine(*command[:4], "--credentials", staff, GREENROOM_PEERS_KEY=KEY) for _ in range(2)]
    first.until_arrived(4)
    helpers[0].process.send_signal(signal.SIGINT)
    assert helpers[0].ended() == 0, helpers[0].said
    assert "Ended early" in helpers[0].said
    assert first.process.poll() is None
    first.process.send_signal(signal.SIGINT)
    assert first.ended() == 0, first.said
    assert helpers[1].ended() == 0, helpers[1].said
    assert "Ended early by helper " in first.said
    assert "Ended early: what was seen" in first.said
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert len(seen.steps["arrive"]) > 3
    assert len(seen.gauges["waiting"]) == 3
    assert not asyncio.run(_rows(server, staff.read_text())).keys() - before


def test_a_helper_that_dies_during_the_run_is_named_to_all_others(
    coordinator: Start, machine: Start, staff: Path
) -> None:
    first = coordinator(*LONG_RUN, "--helpers", 2)
    command = first.helpers_command()
    killed = machine(*command, "--credentials", staff)
    first.until("1 of 2 helpers have joined: helper 1 (")
    other = machine(*command, "--credentials", staff)
    killed.until("It has begun")
    killed.dies()
    assert first.ended() == 2
    assert first.said.splitlines()[-1].startswith("greenroom peers: helper 1 (")
    assert "is gone: it has hung up" in first.said.splitlines()[-1]
    assert other.ended() == 2
    assert "was ended: helper 1 (" in other.said.splitlines()[-1]


def test_helpers_end_their_visits_when_the_coordinator_is_gone(
    coordinator: Start, machine: Start, server: RunningServer, staff: Path
) -> None:
    before = asyncio.run(_rows(server, staff.read_text()))
    first = coordinator(*LONG_RUN, "--helpers", 1)
    helper = machine(*first.helpers_command(), "--credentials", staff)
    first.until_arrived(4)
    first.dies()
    assert helper.ended() == 2
    assert f"greenroom peers: the coordinator at {first.helpers_command()[1]} is gone" in helper.said
    left = asyncio.run(_rows(server, staff.read_text()))
    numbers = [int(str(row["name"]).split()[-1]) for visit, row in left.items() if visit not in before]
    assert not [number for number in numbers if number % 2 == 0], "every other patient was the helper's"


def test_ctrl_c_before_everybody_has_joined_calls_the_run_off_on_both_sides(
    coordinator: Start, machine: Start, staff: Path
) -> None:
    first = coordinator("--helpers", 3, "-p", 4)
    command = first.helpers_command()
    leaves, waits = (machine(*command, "--credentials", staff) for _ in range(2))
    first.until("2 of 3 helpers have joined")
    leaves.until("Waiting for the other helpers")
    leaves.process.send_signal(signal.SIGINT)
    assert leaves.ended() == 2
    assert leaves.said.endswith("greenroom peers: left before the run began\n")
    assert first.until("has left: its user ended it").startswith("1 of 3 helpers have joined: helper")
    first.process.send_signal(signal.SIGINT)
    assert first.ended() == 2
    assert first.said.endswith("greenroom peers: ended before it began: 1 of 3 helpers have joined\n")
    assert waits.ended() == 2
    assert "does without: ended before it began" in waits.said
