"""Tests the image of docs/install/Dockerfile in a real container: podman builds the image, runs it and stops it.

The base image is made of Debian's packages, and gets the name that the Dockerfile asks for. The container has the
rights that the compose file gives to a server, and the host's network.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.install.test_containers import INSTALL, servers
from tests.docs.marked import ROOT
from tests.faults.conftest import Measured
from tests.faults.containers import MINUTE, Podman, limits, podman
from tests.ports import free_ports
from tests.web.server.test_processes import until
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.peers.cli.command import peers_app
from web.peers.run.observations import Observations

__all__ = ["podman"]  # a fixture

DOCKERFILE = INSTALL / "Dockerfile"
RELEASE = "trixie"
"""The release of Debian whose Python is the one that the Dockerfile names."""
VISITS = 2


def build(podman: Podman) -> None:
    """Build the image `greenroom` of the Dockerfile as it is, with this machine's settings of pip."""
    (base,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text("utf-8"), re.MULTILINE))
    archive = podman.folder / "base.tar"
    made = podman.debian(RELEASE, "python-is-python3")
    subprocess.run(["tar", "-C", str(made), "-cf", str(archive), "."], check=True)
    podman("import", str(archive), f"docker.io/library/{base}")
    # An image in the form of the OCI has no health check.
    words = [
        "--isolation=chroot",
        "--format=docker",
        "--pull=never",
        "--tag=greenroom",
        f"--file={DOCKERFILE}",
    ]
    podman("build", *words, *podman.pip(), str(ROOT))


def start(podman: Podman, name: str, port: int) -> None:
    """Start a container that serves pages on this port of the machine. Its volume `data` is kept."""
    service = servers()["one"]
    words = ["--read-only"] if service["read_only"] else []
    for option, values in (
        ("tmpfs", service["tmpfs"]),
        ("cap-drop", service["cap_drop"]),
        ("security-opt", [each.removesuffix(":true") for each in service["security_opt"]]),
        ("env", [f"GREENROOM_SERVER__{each}" for each in ("HOST=127.0.0.1", f"PORT={port}")]),
        ("env", ["GREENROOM_MEDIA__PORTS=0", "GREENROOM_LIMITS__VISITS_PER_ADDRESS=0"]),
    ):
        words += [f"--{option}={value}" for value in values]
    words += [*limits(), "--network=host", "--volume=data:/data"]
    podman("run", "--detach", f"--name={name}", *words, "greenroom")


def visits(url: str, data: Path, folder: Path) -> int:
    """Play whole visits with media at the demo of a server, from Meet Now to the end; return how many were ended."""
    settings = parse({"data": {"folder": str(data)}}, "test")
    staff, report = folder / "staff", folder / "report"
    staff.write_text("".join(f"{email} {demo.password(settings, email)}\n" for email in (OSEI, LIND)))
    words = [f"{url}/demo", *f"-n {VISITS} -a steady:5/s -p 2 --talk 1s --media light".split()]
    words += ["--credentials", str(staff), "--report", str(report), "--fail-if", "errors>0"]
    done = CliRunner().invoke(peers_app, words)
    assert done.exit_code == 0, done.output
    return len(Observations.load(report / "observations.jsonl").steps["hang_up"])


@pytest.mark.minutes
def test_the_image_is_built_and_serves_visits_in_a_container_that_stops_in_time_and_keeps_its_data(
    podman: Podman, tmp_path: Path, measured: Measured
) -> None:
    build(podman)
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    start(podman, "one", port)
    assert until(lambda: podman.healthy("one"), MINUTE)
    assert podman("exec", "one", "id", "-u") == "10001"
    refused = "touch /opt/greenroom/new 2>&1 || true"
    assert "Read-only file system" in podman("exec", "one", "sh", "-c", refused)
    with urllib.request.urlopen(f"{url}/demo", timeout=30) as page:
        assert "Meet Now" in page.read().decode()
    data = Path(podman("volume", "inspect", "data", "--format", "{{.Mountpoint}}"))
    assert (data.stat().st_uid, data.stat().st_mode & 0o777) == (10001, 0o700)
    assert visits(url, data, tmp_path) == VISITS

    grace = servers()["one"]["stop_grace_period"].removesuffix("s")
    began_s = time.monotonic()
    podman("stop", "--time", grace, "one")
    measured("F", "a container stops after SIGTERM", time.monotonic() - began_s, "s", at_most=int(grace) / 2)
    assert podman("inspect", "one", "--format", "{{.State.ExitCode}}") == "0", "it was not killed"

    start(podman, "two", port)
    assert until(lambda: podman.healthy("two"), MINUTE)
    podman("exec", "two", "greenroom", "export", "/tmp/all", "--organisation", "demo", "--all")
    kept = [json.loads(line) for line in podman("exec", "two", "cat", "/tmp/all/visits.jsonl").splitlines()]
    assert len(kept) == VISITS
    assert "unbroken" in podman("exec", "two", "greenroom", "audit", "verify")
