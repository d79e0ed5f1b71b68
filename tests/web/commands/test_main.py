"""Tests the command line as people use it: the console script, its exit codes, and the sentences that it prints."""

import importlib.metadata
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tzdata
from typer.testing import CliRunner

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import CONSOLE_SCRIPT
from web.commands.main import app
from web.config import Settings
from web.server.listeners import bind
from web.server.tls import self_signed

GREENROOM = CONSOLE_SCRIPT[0]


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `greenroom` with these arguments in `folder`; return its output and exit code."""
    return subprocess.run(
        [GREENROOM, *arguments], cwd=folder, capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def test_version_is_that_of_the_package_and_a_semantic_one(tmp_path: Path) -> None:
    found = run("version", folder=tmp_path)
    assert found.returncode == 0
    assert re.fullmatch(r"greenroom \d+\.\d+\.\d+\n", found.stdout)
    assert CliRunner().invoke(app, ["--version"]).stdout == found.stdout


def test_check_config_prints_the_effective_settings_but_no_password(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[redis]\nurl = "redis://:hunter2@host"\n[server]\nport = 1234\n', "utf-8"
    )
    found = run("check-config", folder=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "1234" in found.stdout
    assert "hunter2" not in found.stdout
    assert f"Time zones: tzdata {importlib.metadata.version('tzdata')}, not the system’s." in found.stdout


def test_f25_the_pinned_time_zones_win_over_the_systems(tmp_path: Path) -> None:
    old = tmp_path / "America"
    old.mkdir()
    shutil.copy(Path(tzdata.__file__).with_name("zoneinfo") / "America/New_York", old / "Vancouver")
    script = (
        "import web; from datetime import datetime; from zoneinfo import ZoneInfo;"
        "print(datetime(2026, 12, 1, 10, tzinfo=ZoneInfo('America/Vancouver')).utcoffset())"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "-1 day, 17:00:00\n", "seven hours behind"


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_a_wrong_setting_ends_with_exit_code_2_and_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "config.toml").write_text('[server]\nport = "http"\n', "utf-8")
    found = run(command, folder=tmp_path)
    assert found.returncode == 2
    assert found.stderr == (
        "greenroom: config.toml: server.port: expected a port from 1 to 65535, or 0 for any free one; "
        'found "http"\n'
    )


def test_a_port_in_use_ends_with_exit_code_2_and_says_so(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        found = run("serve", "--port", str(port), folder=tmp_path)
    assert found.returncode == 2
    assert f"server.port: port {port} on 127.0.0.1 is in use" in found.stderr
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_ends_with_exit_code_2(tmp_path: Path) -> None:
    found = run("serve", "--host", "192.0.2.1", folder=tmp_path)
    assert found.returncode == 2
    assert "server.host: expected an address of this machine; found 192.0.2.1" in found.stderr


def test_a_data_folder_that_cannot_be_made_ends_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = run("serve", "--port", "0", "--data", "file", folder=tmp_path)
    assert found.returncode == 2
    assert "data.folder: expected a folder that can be written" in found.stderr


def test_serving_strangers_without_https_ends_with_exit_code_2(tmp_path: Path) -> None:
    found = run("serve", "--host", "0.0.0.0", "--port", "0", folder=tmp_path)
    assert found.returncode == 2
    assert "--self-signed" in found.stderr


@pytest.mark.parametrize(
    ("certificate", "said"), [("missing.pem", "that can be read"), ("config.toml", "PEM")]
)
def test_a_certificate_that_cannot_be_used_ends_with_exit_code_2(
    tmp_path: Path, certificate: str, said: str
) -> None:
    _, key = self_signed(tmp_path, datetime.now(UTC))
    settings = f'[server]\nport = 0\n[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
    (tmp_path / "config.toml").write_text(settings, "utf-8")
    for command in ("serve", "check-config"):
        found = run(command, folder=tmp_path)
        assert found.returncode == 2
        assert found.stderr.startswith("greenroom: tls.certificate: expected")
        assert said in found.stderr


def test_serve_says_where_patients_and_staff_go_and_how_to_sign_in(start_server: StartServer) -> None:
    server = start_server({"server": {"workers": 2}}, quick=False).wait()
    server.until_said("Sign in")
    assert f"{server.url}/demo" in server.output
    assert f"{server.url}/demo/staff" in server.output
    assert server.status("/demo") == 200
    assert server.stop() == 0


def test_self_signed_serves_https_to_the_network_and_says_where(
    start_server: StartServer, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.web.tiny"]
    server = start_server({"server": {"host": "0.0.0.0"}}, command=command, options=("--self-signed",))
    trusted = tmp_path / "data/self-signed.pem"
    while not (listening := [event for event in server.events if event["event"] == "server.listening"]):
        assert server.process.poll() is None, server.log
        time.sleep(0.02)
    context = ssl.create_default_context(cafile=str(trusted))
    with urllib.request.urlopen(f"{listening[0]['url']}/healthz", context=context, timeout=WAIT_S) as answer:
        assert answer.status == 200
    assert listening[0]["url"].startswith("https://127.0.0.1:")


@pytest.mark.parametrize(
    ("said", "options", "host"),
    [
        ("127.0.0.1", ["--self-signed"], "::"),
        ("192.0.2.7", ["--self-signed"], "192.0.2.7"),
        ("192.0.2.7", ["--self-signed", "--host", "127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
    ],
)
def test_self_signed_serves_where_the_settings_say_and_everywhere_if_they_say_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, options: list[str], host: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[server]\nhost = "{said}"\n', "utf-8")
    served: list[Settings] = []
    monkeypatch.setattr("web.server.processes.serve", lambda settings, *_: served.append(settings))
    found = CliRunner().invoke(app, ["serve", "--config", str(file), *options])
    assert found.exit_code == 0, found.output
    assert [settings.server.host for settings in served] == [host]


def test_on_all_networks_a_server_listens_by_ipv6_and_ipv4_or_by_ipv4_if_there_is_no_ipv6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bind("::", 0) as listener, socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 5):
        pass
    monkeypatch.setattr("web.server.listeners._has_ipv6", lambda: False)
    with bind("::", 0) as listener:
        assert listener.family == socket.AF_INET
