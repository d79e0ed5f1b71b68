"""Tests the units of systemd: they are valid, deny what a server does not need, and contain settings that can be used.

The tests run `systemd-analyze`, which only reads files, and `systemd-socket-activate`, so systemd need not run.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import StartServer
from tests.docs.marked import DOCS
from tests.faults.test_peers import credentials
from tests.limits import WAIT_S
from tests.ports import free_ports
from tests.prepared import GREENROOM
from tests.server import CONSOLE_SCRIPT
from tests.web.server.test_processes import until
from web.config import Settings, load
from web.peers.cli.command import peers_app
from web.server.tls import self_signed

UNITS = DOCS / "install/systemd"
MOST_EXPOSED = 20
"""The limit for systemd's measure of exposure, in tenths: from 0 for a service that may do nothing to 100 for one that
may do everything.
"""


def analyzed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `systemd-analyze` on copies of the units; return the result. `words`: its command-line arguments.

    The copies start the Greenroom of this Python environment.
    """
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: install systemd")
    for unit in UNITS.glob("greenroom.*"):
        text = unit.read_text("utf-8").replace("/opt/greenroom/bin/greenroom", GREENROOM)
        (folder / unit.name).write_text(text, "utf-8")
    return subprocess.run(
        ["systemd-analyze", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_units_are_valid(tmp_path: Path) -> None:
    # Only errors in our units count, because other units of this machine may have errors of their own.
    verify = ("verify", "--man=no", "--recursive-errors=no")
    found = analyzed(tmp_path, *verify, "./greenroom.socket", "./greenroom.service")
    ours = [line for line in found.stderr.splitlines() if "greenroom" in line]
    assert (found.returncode, ours) == (0, [])


def test_the_service_is_denied_what_it_does_not_need(tmp_path: Path) -> None:
    security = ("security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}")
    found = analyzed(tmp_path, *security, "./greenroom.service")
    assert found.returncode == 0, found.stdout + found.stderr


def service() -> dict[str, str]:
    """Return key -> value of the service's unit. If a key occurs several times, its last value is returned."""
    units = configparser.RawConfigParser(strict=False)
    units.optionxform = str  # type: ignore[assignment, method-assign]
    units.read(UNITS / "greenroom.service")
    return dict(units["Service"])


def test_the_service_stops_as_the_server_does_and_keeps_its_folder() -> None:
    found, settings = service(), load(UNITS / "config.toml", {}, {})
    assert found["KillMode"] == "mixed", "the store must end after the workers"
    assert int(found["TimeoutStopSec"]) > 2 * Settings().server.drain_s
    assert settings.data.folder == f"/var/lib/{found['StateDirectory']}"
    assert re.search(r"--config /etc/greenroom/config\.toml$", found["ExecStart"])
    assert settings.tls.certificate
    assert settings.direct_port == 443


def test_the_services_command_serves_the_socket_that_systemd_opens(tmp_path: Path) -> None:
    if shutil.which("systemd-socket-activate") is None:
        pytest.skip("no systemd-socket-activate here: install systemd")
    certificate, key = self_signed(tmp_path, datetime.now(UTC))
    text = (UNITS / "config.toml").read_text("utf-8")
    for there, here in (
        ("/etc/greenroom/tls/fullchain.pem", str(certificate)),
        ("/etc/greenroom/tls/privkey.pem", str(key)),
        ("/var/lib/greenroom", str(tmp_path / "data")),
        ("ports = 40000", "ports = 0"),
    ):
        assert text.count(there) == 1
        text = text.replace(there, here)
    (tmp_path / "config.toml").write_text(text, "utf-8")
    command = service()["ExecStart"].replace("/etc/greenroom", str(tmp_path))
    words = [GREENROOM, *command.split()[1:]]
    (port,) = free_ports(1)
    with subprocess.Popen(
        ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", *words], start_new_session=True
    ) as server:
        try:
            assert until(lambda: page(port, certificate), WAIT_S) == 200
            server.terminate()
            assert server.wait(WAIT_S) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def page(port: int, certificate: Path) -> int:
    """Return the HTTP status of a page, requested over TLS at this port of this machine; 0 if the port is
    closed.

    A server that is being started answers when it is ready. `certificate`: the file of the certificate that
    is trusted.
    """
    trusted = ssl.create_default_context(cafile=str(certificate))
    connection = HTTPSConnection("localhost", port, timeout=WAIT_S, context=trusted)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/healthz", headers={"Host": "visits.example.org"})
            return connection.getresponse().status
        except ConnectionRefusedError:
            return 0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_visits_with_media_work_under_the_system_calls_that_the_unit_allows(
    start_server: StartServer, tmp_path: Path
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: install systemd")
    filtered = [
        sys.executable,
        str(Path(__file__).with_name("filtered.py")),
        str(UNITS / "greenroom.service"),
    ]
    server = start_server(
        {"server": {"workers": 1}, "limits": {"visits_per_address": 0}},
        command=[*filtered, *CONSOLE_SCRIPT],
        quick=False,
    ).wait()
    status = Path(f"/proc/{server.pids[0]}/status").read_text("utf-8")
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE), "the workers have the filter"
    words = [
        f"{server.url}/demo",
        "-n",
        "2",
        "-a",
        "steady:5/s",
        "-p",
        "2",
        "--talk",
        "1s",
        "--media",
        "light",
    ]
    words += ["--credentials", str(credentials(server, tmp_path / "staff")), "--report", str(tmp_path / "r")]
    result = CliRunner().invoke(peers_app, words)
    assert result.exit_code == 0, result.output
    assert server.stop() == 0
