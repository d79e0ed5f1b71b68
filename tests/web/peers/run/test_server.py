"""Tests that the resources of the server are read if it runs on this machine, and left out otherwise."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.limits import WAIT_S
from web.peers.cli.command import peers_app
from web.peers.run import server
from web.peers.run.observations import Observations
from web.peers.run.server import Watch, machine, sample, versions

BUSY = r"""
import subprocess, sys
busy = "import time; end = time.monotonic() + 600\nwhile time.monotonic() < end: pass"
child = subprocess.Popen([sys.executable, "-c", busy])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
child.wait()
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this machine has no /proc")


def test_a_servers_workers_count_for_it() -> None:
    seen = Observations()
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        child = int(process.stdout.readline())
        watch = Watch(seen, process.pid)
        deadline = time.monotonic() + WAIT_S
        while "server_cpu" not in seen.gauges or not any(seen.gauges["server_cpu"][0].values):
            assert time.monotonic() < deadline
            time.sleep(0.05)  # the shortest time between two samples
            watch.tick()
        process.stdin.close()
    assert sample(child) is None
    assert max(seen.gauges["server_rss"][0].values) > 1e6
    assert "store_cpu" not in seen.gauges
    watch.tick()  # a server that has ended must not be reported as a fault of the load tester
    assert sample(process.pid) is None


def test_without_a_server_process_only_the_drivers_cpu_is_written() -> None:
    seen = Observations()
    watch = Watch(seen)
    watch.tick()
    assert set(seen.gauges) == {"driver_cpu"}


def test_the_machines_cpu_is_written_by_one_process_of_a_run() -> None:
    seen = Observations()
    watch = Watch(seen, machine=True)
    deadline = time.monotonic() + WAIT_S
    while "machine_cpu" not in seen.gauges or max(seen.gauges["machine_cpu"][0].values) <= 0.3:
        assert time.monotonic() < deadline
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            # the empty loop keeps a core busy
            pass
        watch.tick()


def test_without_proc_there_are_no_figures_of_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "PROC", tmp_path)
    assert sample(1) is None
    assert machine()["CPU"]


def test_the_machine_and_versions_are_words() -> None:
    assert set(machine()) == {"CPU", "cores", "system"}
    assert {"Python", "greenroom", "aiohttp"} <= set(versions())


def test_a_server_process_that_cannot_be_read_is_refused_in_one_sentence() -> None:
    done = CliRunner().invoke(
        peers_app, ["http://127.0.0.1:1/x", "--providers", "0", "--server-pid", "999999999"]
    )
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert "--server-pid" in line
