"""Tests that a load run whose server is killed reports that in one sentence, and exits with an error.

This is row 35 of docs/RELIABILITY.md.
"""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import StartServer
from tests.ports import LOOPBACK, free_ports
from tests.server import RunningServer
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.peers.cli.command import peers_app
from web.peers.run.observations import Observations
from web.peers.run.presence import Presence


def credentials(server: RunningServer, path: Path) -> Path:
    settings = parse({"data": {"folder": str(server.data)}}, "test")
    path.write_text("".join(f"{email} {demo.password(settings, email)}\n" for email in (OSEI, LIND)))
    return path


@pytest.mark.minutes
def test_r35_a_server_that_is_killed_ends_a_run_with_one_sentence_and_exit_1(
    greenroom_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.peers.run.presence.GONE_S", 0.5)
    server = greenroom_server(limits={"visits_per_address": 0})
    killed_at: list[float] = []

    def kill() -> None:
        killed_at.append(time.monotonic())
        os.killpg(server.process.pid, signal.SIGKILL)

    timer = threading.Timer(3.5, kill)
    timer.start()
    words = [f"{server.url}/demo", "-n", "1000", "-a", "steady:10/s", "-p", "2", "--talk", "30s"]
    words += ["--credentials", str(credentials(server, tmp_path / "staff")), "--report", str(tmp_path / "r")]
    result = CliRunner().invoke(peers_app, words)
    timer.join()
    sentences = [line for line in result.stderr.splitlines() if line.startswith("greenroom peers: ")]
    assert result.exit_code == 1, result.output
    assert len(sentences) == 1, result.output
    assert f"the server at {server.url}/demo was gone" in sentences[0]
    assert "0 of 1000 visits came to their end" in sentences[0]
    assert time.monotonic() - killed_at[0] < 20, "the run does not go on against nobody"
    assert Observations.load(tmp_path / "r" / "observations.jsonl").errors, "what was seen is reported"


def test_r35_a_port_that_refuses_is_a_server_that_is_gone_until_it_takes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web.peers.run.presence.GONE_S", 0.0)
    host, port = LOOPBACK, free_ports(1)[0]
    with socket.create_server((host, port)):
        presence = Presence(host, port)
        presence.look()
        assert not presence.is_gone
    presence.look()
    assert presence.is_gone
    with socket.create_server((host, port)):
        presence.look()
        assert not presence.is_gone
