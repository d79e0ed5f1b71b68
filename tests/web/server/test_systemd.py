"""Tests the server as a service of systemd, which is imitated by a parent that passes a socket and receives states."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from tests.server import toml
from web.errors import ConfigError
from web.server import systemd
from web.server.handover import Request, Steps

PARENT = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def states(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which the states of the server arrive. Its path is `notify` in the test's folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(WAIT_S)
        receiver.bind(str(tmp_path / "notify"))
        yield receiver


def test_the_passed_socket_is_served_and_each_state_is_sent(states: socket.socket, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(toml({"server": {"host": "192.0.2.1", "port": 1, "workers": 2}}), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        early = socket.create_connection(listener.getsockname(), timeout=WAIT_S)
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PARENT,
                str(listener.fileno()),
                sys.executable,
                "-m",
                "tests.web.tiny",
                config,
            ],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        try:
            assert states.recv(200) == b"READY=1"
            with early:
                assert early.recv(1000).startswith(b"HTTP/1.1 200 OK"), "it came before the server started"
            Steps(tmp_path / "data").ask(Request([sys.executable, "-m", "tests.web.tiny"]))
            server.send_signal(signal.SIGUSR2)
            assert states.recv(200).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert states.recv(200) == b"READY=1"
            assert Steps(tmp_path / "data").read()[-1]["step"] == "done", "the workers were replaced by then"
            server.terminate()
            assert states.recv(200) == b"STOPPING=1"
            assert server.wait(WAIT_S) == 0
        finally:
            server.kill()
        with socket.create_connection(listener.getsockname(), timeout=WAIT_S):
            pass  # this connection waits for the next start of the server


def environment(count: int, pid: int = 0) -> dict[str, str]:
    return {
        "LISTEN_PID": str(pid or os.getpid()),
        "LISTEN_FDS": str(count),
        "LISTEN_FDNAMES": "a",
        "PATH": "b",
    }


def passed(
    given: socket.socket, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> socket.socket | None:
    """Pass this socket to the server as systemd does; return the socket that the server takes, or None.

    `variables`: the environment variables of the server.
    """
    monkeypatch.setattr(systemd, "FIRST", given.fileno())
    found = systemd.passed_listener(variables)
    assert variables == {"PATH": "b"}
    return found


def test_variables_for_another_process_are_ignored_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert passed(listener, environment(1, os.getpid() + 1), monkeypatch) is None


@pytest.mark.parametrize(
    ("family", "kind", "count"),
    [
        (socket.AF_UNIX, socket.SOCK_STREAM, 1),
        (socket.AF_INET, socket.SOCK_DGRAM, 1),
        (socket.AF_INET, socket.SOCK_STREAM, 2),
    ],
)
def test_anything_but_one_tcp_socket_is_refused(
    family: int, kind: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = socket.socket(family, kind)
    with pytest.raises(ConfigError, match="one ListenStream="):
        passed(given, environment(count), monkeypatch)
    # the refusal has already closed the descriptor
    given.detach()


def test_states_reach_an_abstract_address_and_are_lost_without_systemd() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(WAIT_S)
        receiver.bind(f"\0greenroom-test-{os.getpid()}")
        systemd.Notify({"NOTIFY_SOCKET": f"@greenroom-test-{os.getpid()}"}).reloaded()
        assert receiver.recv(200) == b"READY=1"
    systemd.Notify({"NOTIFY_SOCKET": f"@greenroom-test-{os.getpid()}"}).reloaded()
    systemd.Notify({}).stopping()
