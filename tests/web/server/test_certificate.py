"""Tests a renewed certificate: every worker loads it while connections continue; a broken certificate
changes nothing.
"""

import datetime
import http.client
import json
import shutil
import ssl
import sys
import time
from pathlib import Path

import pytest
import structlog.testing

from tests.conftest import StartServer
from tests.limits import WAIT_S
from web.server import tls
from web.server.certificate import Certificate

NOW = datetime.datetime.now(datetime.UTC)
FILES = ("self-signed.pem", "self-signed.key")


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders, each with a certificate and its key."""
    found = tmp_path / "first", tmp_path / "second"
    for folder in found:
        folder.mkdir()
        tls.self_signed(folder, NOW)
    return found


def followed(folder: Path) -> Certificate:
    return Certificate(*(str(folder / name) for name in FILES))


def put(source: Path, folder: Path, *names: str) -> None:
    """Replace these files of `folder` by those of `source`, each in one step, as the renewal of a certificate does."""
    for name in names or FILES:
        shutil.copyfile(source / name, folder / "new")
        (folder / "new").rename(folder / name)


def test_f46_a_renewed_certificate_is_used_when_its_files_are_whole(pairs: tuple[Path, Path]) -> None:
    first, second = pairs
    certificate = followed(first)
    before = certificate.newest()
    with structlog.testing.capture_logs() as logged:
        certificate.look()
        put(second, first, FILES[0])
        certificate.look()
        put(second, first, FILES[1])
        certificate.look()
        assert certificate.newest() is before
        certificate.look()
        assert certificate.newest() is not before
        certificate.look()
    assert [line["event"] for line in logged] == ["tls.certificate_renewed"]


@pytest.mark.parametrize("broken", ["no PEM", "", "of another key", "missing"])
def test_f46_a_broken_certificate_is_refused_once_and_the_one_before_stays(
    pairs: tuple[Path, Path], broken: str
) -> None:
    first, second = pairs
    certificate = followed(first)
    before = certificate.newest()
    if broken == "of another key":
        put(second, first, FILES[0])
    elif broken == "missing":
        (first / FILES[0]).unlink()
    else:
        (first / FILES[0]).write_text(broken)
    with structlog.testing.capture_logs() as logged:
        for _ in range(4):
            certificate.look()
    assert certificate.newest() is before
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("tls.certificate_refused", "error")
    assert line["problem"].startswith("tls.certificate: expected")
    put(second, first)
    for _ in range(2):
        certificate.look()
    assert certificate.newest() is not before


def test_f46_every_worker_takes_a_renewed_certificate_up_and_open_connections_go_on(
    start_server: StartServer, pairs: tuple[Path, Path]
) -> None:
    first, second = pairs
    new = ssl.PEM_cert_to_DER_cert((second / FILES[0]).read_text())
    files = dict(zip(("certificate", "key"), (str(first / name) for name in FILES), strict=True))
    command = [sys.executable, "-m", "tests.web.tiny"]
    server = start_server({"server": {"workers": 2}, "tls": files}, command=command)
    while not (listening := [event for event in server.events if event["event"] == "server.listening"]):
        assert server.process.poll() is None, server.log
        time.sleep(0.02)
    address = listening[0]["url"].removeprefix("https://")
    context = ssl._create_unverified_context()

    def connected() -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(address, context=context, timeout=WAIT_S)

    def worker(connection: http.client.HTTPSConnection) -> int:
        connection.request("GET", "/healthz")
        return int(json.load(connection.getresponse())["pid"])

    open_one = connected()
    before = worker(open_one)
    put(second, first)
    renewed: set[int] = set()
    deadline = time.monotonic() + 60
    while len(renewed) < 2 and time.monotonic() < deadline:
        connection = connected()
        pid = worker(connection)
        if connection.sock.getpeercert(binary_form=True) == new:
            renewed.add(pid)
        connection.close()
        assert worker(open_one) == before
        time.sleep(0.02)
    assert renewed == set(server.pids)
    open_one.close()
