"""Tests the faults that the load tester causes: it chooses the right processes, stops and continues them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.signalling.waits import until
from web.peers.errors import PlanError
from web.peers.run.breaking import Breaker, check, targets
from web.peers.run.faults import CUT, FROZEN, KILLED, Fault
from web.peers.run.observations import Observations

WORKER = (
    "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); "
    "print(1, flush=True); time.sleep(600)"
)
SERVER = (
    "import subprocess, sys; "
    f"print(subprocess.Popen([sys.executable, '-c', {WORKER!r}]).pid, flush=True); input()"
)


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """Start a process without a UDP socket and its child with a UDP socket, like a server and its worker; yield both
    ids.
    """
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    assert process.stdout.readline() == b"1\n"
    yield process.pid, worker
    # The worker may have been killed by the test. Its id cannot belong to another process yet, because the worker's
    # parent has not waited for the worker (waitpid).
    os.kill(worker, signal.SIGKILL)
    process.kill()
    process.communicate()


def state(pid: int) -> str:
    """Return the state of a process (proc(5), /proc/pid/stat): S sleeps, T is stopped; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_the_workers_of_a_server_are_its_processes_with_a_udp_socket(server: tuple[int, int]) -> None:
    assert targets(KILLED, server[:1]) == [server[1]]
    check(server[:1], [KILLED, FROZEN])
    with pytest.raises(PlanError, match="expected a store to be cut on this machine"):
        check(server[:1], [CUT])
    with pytest.raises(PlanError, match="expected a worker to be killed on this machine, with --local"):
        check((), [KILLED])


async def reaches(pid: int, *states: str) -> None:
    await until(lambda: state(pid) in states)


async def test_a_worker_is_stopped_and_goes_on_when_the_time_is_over(server: tuple[int, int]) -> None:
    root, worker = server
    with Breaker(iter([Fault(0.0, FROZEN, 3.0, 0.0)]), (root,), time.monotonic()) as breaker:
        await reaches(worker, "T")
        await reaches(worker, "S")
    assert breaker.done == {FROZEN: 1}


async def test_a_worker_is_killed_also_while_it_is_stopped_and_the_moment_is_reported(
    server: tuple[int, int],
) -> None:
    root, worker = server
    seen = Observations()
    faults = [Fault(0.0, FROZEN, 600.0, 0.0), Fault(0.5, KILLED, 0.0, 0.5)]
    with Breaker(iter(faults), (root,), time.monotonic()) as breaker:
        await reaches(worker, "Z", "")
    assert breaker.done == {FROZEN: 1, KILLED: 1}
    breaker.tell(seen)
    assert {name: len(series) for name, series in seen.counts.items()} == {FROZEN: 1, KILLED: 1}
    assert seen.counts[KILLED].at[0] >= 0.5


async def test_a_stopped_worker_goes_on_when_the_run_ends_before(server: tuple[int, int]) -> None:
    root, worker = server
    with Breaker(iter([Fault(0.0, FROZEN, 600.0, 0.0)]), (root,), time.monotonic()):
        await reaches(worker, "T")
    await reaches(worker, "S")
