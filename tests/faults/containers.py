"""Runs containers by podman, without a registry of images: debootstrap makes a machine of Debian's packages.

It needs root, namespaces, podman, runc and debootstrap. Packages come as apt and pip of this machine get them.
"""

from __future__ import annotations

import ast
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.marked import ROOT

SOURCES = "requirements pyproject.toml README.md LICENSE greenroom signalling media web docs"
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "cert")
"""The settings of pip that a container takes over from this machine, so that pip reaches the same registry."""
ENGINE = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
"""
"""The settings of podman. It works without systemd, and shares nothing with other containers of this machine."""
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
    """Return those settings of this machine's pip that a build needs. An environment variable has precedence over a
    file.
    """
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
        self.folder = folder
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

    def debian(self, release: str, packages: str) -> Path:
        """Install a release of Debian with these packages, and with Python and venv; return its root folder."""
        root = self.folder / release
        packages = f"python3,python3-venv,passwd,{packages}"
        made = self._carried_out(
            ["debootstrap", "--variant=minbase", f"--include={packages}", release, str(root), *mirror()]
        )
        assert made.returncode == 0, made.stdout[-3000:]
        return root

    def pip(self) -> list[str]:
        """Return the options of podman that give this machine's settings of pip to a container, or to a build."""
        settings, file = pip_settings(), self.folder / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        mounted = [f"{file}:/etc/pip.conf:ro"]
        mounted += [f"{settings['cert']}:{settings['cert']}:ro"] if "cert" in settings else []
        return [f"--volume={each}" for each in mounted]

    def healthy(self, name: str) -> bool:
        """Carry out the health check of a container; return whether podman then calls the container healthy."""
        # Without systemd, podman has no timer that starts the health check.
        self._carried_out([*self._base, "healthcheck", "run", name])
        return self("inspect", name, "--format", "{{.State.Health.Status}}") == "healthy"

    def close(self) -> None:
        """End and remove the containers, and what podman has mounted for them."""
        self("rm", "--all", "--force", "--time", "0")
        self._carried_out(["umount", "--lazy", str(self.folder / "store/overlay")])


def copy_checkout(to: Path) -> None:
    """Copy what a checkout of this repository has for an installation into the new folder `to`."""
    to.mkdir(parents=True)
    for name in SOURCES.split():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, to)


def limits() -> list[str]:
    """Return the options of podman that set a container's limits.

    Without them, podman would set higher limits than those of this machine, which root may not do everywhere.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return [f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=4096:4096"]


@contextmanager
def opened_podman() -> Iterator[Podman]:
    """Yield podman with a folder of its own; skip the test if this machine can run no container."""
    if why := unable():
        pytest.skip(why)
    # podman accepts no long path for `--runroot`.
    with tempfile.TemporaryDirectory(prefix="greenroom-", ignore_cleanup_errors=True) as folder:
        made = Podman(Path(folder))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def podman() -> Iterator[Podman]:
    """Podman with a folder of its own; a test that uses it is skipped if this machine can run no container."""
    with opened_podman() as made:
        yield made
