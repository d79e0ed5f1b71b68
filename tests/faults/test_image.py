"""Tests the image of docs/install/Dockerfile in a real container: podman builds the image, runs it and stops it.

No registry of images is asked. debootstrap makes a base image of Debian's packages, which gets the name that the
Dockerfile asks for. The container has the rights that the compose file gives to a server, and the host's network.
"""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.install.test_containers import INSTALL, servers
from tests.docs.marked import ROOT
from tests.faults.conftest import Measured
from tests.faults.sentinels import free_ports
from tests.web.server.test_processes import until
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.peers.cli.command import peers_app
from web.peers.run.observations import Observations

DOCKERFILE = INSTALL / "Dockerfile"
RELEASE = "trixie"
"""The release of Debian whose Python is the one that the Dockerfile names."""
PACKAGES = "python3,python3-venv,python-is-python3,passwd"
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "cert")
"""The settings of pip that a build takes over from this machine, so that pip reaches the same registry."""
ENGINE = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
"""
"""The settings of podman. It works without systemd, and shares nothing with other containers of this machine."""
VISITS = 2
MINUTE, LONGEST_S = 60.0, 900.0


def unable() -> str:
    """Return in a sentence why this machine can run no container; "" if it can."""
    missing = [name for name in ("podman", "runc", "debootstrap") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed (see .ci/programs)"
    if os.geteuid() != 0:
        return "only root can make an image with debootstrap"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "true"], check=False)
    return "this machine allows no namespaces, so no container" if tried.returncode else ""


def mirror() -> list[str]:
    """Return the address from which apt of this machine gets Debian's packages; [] for that of debootstrap."""
    asked = ["apt-get", "indextargets", "--format=$(REPO_URI) $(ORIGIN) $(COMPONENT)", "Created-By: Packages"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split("\n")
    return [line.split()[0] for line in lines if line.endswith(" Debian main")][:1]


def pip_settings() -> dict[str, str]:
    """Return those settings of this machine's pip that a build needs. Environment variables win over files."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    rows = re.findall(r"^(\S+)\.([\w-]+)=(.*)$", listed.stdout, re.MULTILINE)
    found = {}
    for _, key, value in sorted(rows, key=lambda row: row[0].startswith(":env:")):
        # A folder of this machine is not there in a build.
        words = [word for word in str(ast.literal_eval(value)).split() if not word.startswith("file:")]
        if key.removeprefix("default-") in PIP_KEYS and words:
            found[key.removeprefix("default-")] = " ".join(words)
    return found


class Podman:
    """podman with images, containers and volumes of its own, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = ["podman", "--root", str(folder / "store"), "--runroot", str(folder / "run")]
        file = folder / "containers.conf"
        file.write_text(ENGINE.format(folder=folder), "utf-8")
        self._environment = {**os.environ, "CONTAINERS_CONF": str(file)}

    def __call__(self, *words: str) -> str:
        """Return the standard output of a command of podman. Raises AssertionError if it fails."""
        done = self._carried_out([*self._base, *words])
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout.strip()

    def _carried_out(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )

    def build(self) -> None:
        """Build the image `greenroom` of the Dockerfile as it is, with this machine's settings of pip."""
        (base,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text("utf-8"), re.MULTILINE))
        root, settings = self._folder / "base", pip_settings()
        made = self._carried_out(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root), *mirror()]
        )
        assert made.returncode == 0, made.stdout[-3000:]
        archive = self._folder / "base.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
        self("import", str(archive), f"docker.io/library/{base}")
        file = self._folder / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        mounted = [f"{file}:/etc/pip.conf:ro"]
        mounted += [f"{settings['cert']}:{settings['cert']}:ro"] if "cert" in settings else []
        # An image in the form of the OCI has no health check.
        words = ["build", "--isolation", "chroot", "--format", "docker", "--pull=never", "--tag", "greenroom"]
        words += [word for each in mounted for word in ("--volume", each)]
        self(*words, "--file", str(DOCKERFILE), str(ROOT))

    def run(self, name: str, port: int) -> None:
        """Start a container that serves pages on this port of the machine. Its volume `data` is kept."""
        service = servers()["one"]
        words = ["--read-only"] if service["read_only"] else []
        for option, values in (
            ("--tmpfs", service["tmpfs"]),
            ("--cap-drop", service["cap_drop"]),
            ("--security-opt", [each.removesuffix(":true") for each in service["security_opt"]]),
            ("--env", [f"GREENROOM_SERVER__{each}" for each in ("HOST=127.0.0.1", f"PORT={port}")]),
            ("--env", ["GREENROOM_MEDIA__PORTS=0", "GREENROOM_LIMITS__VISITS_PER_ADDRESS=0"]),
            # podman would set limits that are higher than those of this machine, which root may not do everywhere.
            ("--ulimit", [f"nofile={files()}:{files()}", "nproc=4096:4096"]),
        ):
            words += [word for value in values for word in (option, value)]
        words += ["--network", "host", "--volume", "data:/data"]
        self("run", "--detach", "--name", name, *words, "greenroom")

    def healthy(self, name: str) -> bool:
        """Carry out the image's health check; return whether podman then calls the container healthy."""
        # Without systemd, podman has no timer that starts the health check.
        self._carried_out([*self._base, "healthcheck", "run", name])
        return self("inspect", name, "--format", "{{.State.Health.Status}}") == "healthy"

    def state(self, name: str, what: str) -> str:
        """Return a value of the container's state, such as ExitCode."""
        return self("inspect", name, "--format", f"{{{{.State.{what}}}}}")

    def close(self) -> None:
        """End and remove the containers."""
        self("rm", "--all", "--force", "--time", "0")


def files() -> int:
    """Return how many files a process of this machine may open at most."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.fixture
def podman() -> Iterator[Podman]:
    """Podman with the built image `greenroom`; the test is skipped if this machine can run no container."""
    if why := unable():
        pytest.skip(why)
    # podman accepts no long path for `--runroot`.
    with tempfile.TemporaryDirectory(prefix="greenroom-", ignore_cleanup_errors=True) as folder:
        made = Podman(Path(folder))
        try:
            made.build()
            yield made
        finally:
            made.close()


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
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    podman.run("one", port)
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
    assert podman.state("one", "ExitCode") == "0", "it was not killed"

    podman.run("two", port)
    assert until(lambda: podman.healthy("two"), MINUTE)
    podman("exec", "two", "greenroom", "export", "/tmp/all", "--organisation", "demo", "--all")
    kept = [json.loads(line) for line in podman("exec", "two", "cat", "/tmp/all/visits.jsonl").splitlines()]
    assert len(kept) == VISITS
    assert "unbroken" in podman("exec", "two", "greenroom", "audit", "verify")
