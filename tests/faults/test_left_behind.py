"""Tests that programs with a temporary server leave neither a process nor a folder behind when a signal ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.prepared import GREENROOM

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 240.0
LOAD = [GREENROOM, "peers", "--local", "-n", "500", "-a", "steady:20/s", "--talk", "30s", "--processes", "2"]
BENCH = [sys.executable, "-m", "tests.benchmarks", "--only", "claim", "--alone"]


def processes(mark: str) -> list[str]:
    """Return the command lines of all processes that have the text `mark` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # the process has ended, or belongs to somebody else
    return found


def started(folder: Path, mark: str, serving: bool) -> bool:
    """Return whether the program has made a folder in `folder` and, if `serving`, started workers of its server.

    `mark`: a text in the environment of all its processes.
    """
    return any(folder.iterdir()) and (not serving or sum(" serve " in line for line in processes(mark)) > 1)


@pytest.mark.minutes
@pytest.mark.parametrize(
    ("command", "number", "serving"),
    [
        (LOAD, signal.SIGTERM, True),
        (LOAD, signal.SIGINT, False),
        (BENCH, signal.SIGTERM, False),
        (BENCH, signal.SIGTERM, True),
    ],
    ids=[
        "load tester, SIGTERM",
        "load tester, SIGINT while the server starts",
        "benchmark, SIGTERM while the server starts",
        "benchmark, SIGTERM in a measurement",
    ],
)
def test_a_signal_leaves_no_process_and_no_folder_behind(
    command: list[str], number: signal.Signals, serving: bool, tmp_path: Path
) -> None:
    mark = f"GREENROOM_TEST={uuid.uuid4()}"
    environment = {**os.environ, "TMPDIR": str(tmp_path), **dict([mark.split("=")])}
    program = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell that starts this test in the background makes it ignore SIGINT. The program must not inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + WITHIN_S
    try:
        while not started(tmp_path, mark, serving):
            assert program.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        program.send_signal(number)
        program.wait(WITHIN_S)
    finally:
        program.kill()
    while left := processes(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
