"""Tests the installation as a service of systemd: the commands of docs/OPERATIONS.md, in an empty Debian.

systemd is the first process of a container, and starts the units as they are, with all their restrictions.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs.marked import DOCS
from tests.faults.conftest import Measured
from tests.faults.containers import MINUTE, Podman, copy_checkout, limits, podman
from tests.web.server.test_processes import until
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.peers.run.observations import Observations
from web.server.tls import self_signed

__all__ = ["podman"]  # a fixture

RELEASE = "bookworm"
"""A release of Debian whose systemd runs with either version of the kernel's control groups."""
NAME = "visits.example.org"
INIT = '"Lakeside Clinic" --slug lakeside --timezone America/Chicago --email ida@lakeside.example --person "Ida Berg"'
ASK = (
    "import ssl, urllib.request as r; print(r.urlopen('https://{name}{path}', "
    "context=ssl._create_unverified_context(), timeout=60).read().decode())"
)
GREENROOM = "/opt/greenroom/bin/greenroom"
VISITS = 2
DEMO = "/var/lib/greenroom/demo"


def commands() -> tuple[str, str]:
    """Return the commands of the document before and after the one at which systemd must run."""
    section = (DOCS / "OPERATIONS.md").read_text("utf-8").split("### As a service of systemd")[1]
    (block,) = re.findall(r"```sh\n(.*?)```", section.split("\n### ")[0], re.DOTALL)
    first, begin, second = block.partition("systemctl daemon-reload\n")
    return first, begin + re.sub(r"( init --config \S+)$", rf"\1 {INIT}", second, flags=re.MULTILINE)


def checkout(root: Path) -> None:
    """Put a checkout into the machine at /root/greenroom, and a certificate where certbot keeps it."""
    copy_checkout(root / "root/greenroom")
    live = root / f"etc/letsencrypt/live/{NAME}"
    live.mkdir(parents=True)
    certificate, key = self_signed(live, datetime.now(UTC))
    certificate.rename(live / "fullchain.pem")
    key.rename(live / "privkey.pem")


class Machine:
    """A running machine with systemd, in the container `service`."""

    def __init__(self, podman: Podman, root: Path) -> None:
        self._podman = podman
        given = [f"--cap-add={each}" for each in ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")]
        given += [f"--security-opt={each}=unconfined" for each in ("seccomp", "apparmor")]
        network = ["--network=none", f"--add-host={NAME}:127.0.0.1"]
        words = [
            "--detach",
            "--name=service",
            "--systemd=always",
            "--cgroupns=private",
            *given,
            *network,
            *limits(),
        ]
        podman("run", *words, "--rootfs", str(root), "/sbin/init")
        until(lambda: "running" in self.run("systemctl is-system-running || true"), MINUTE)

    def run(self, command: str) -> str:
        """Return the output of a command of the shell. Raises AssertionError if it fails."""
        return self._podman("exec", "service", "sh", "-ec", command)

    def page(self, path: str) -> str:
        """Return the body of a page of the service. Raises AssertionError if it does not answer."""
        return self.run(f'/opt/greenroom/bin/python -c "{ASK.format(name=NAME, path=path)}"')


@pytest.mark.minutes
def test_the_commands_of_the_document_install_a_service_that_systemd_runs_with_all_restrictions(
    podman: Podman, measured: Measured
) -> None:
    root = podman.debian(RELEASE, "systemd,systemd-sysv,sudo")
    checkout(root)
    first, second = commands()
    words = ["--rm", "--network=host", *limits(), *podman.pip(), "--rootfs", str(root)]
    podman("run", *words, "sh", "-ec", f"cd /root/greenroom\n{first}")
    machine = Machine(podman, root)
    said = machine.run(f"cd /root/greenroom\n{second}")
    assert f"https://{NAME}/lakeside/staff/invitation/" in said
    assert '"ready"' in machine.page("/readyz")
    assert "Lakeside Clinic" in machine.page("/lakeside")
    status = machine.run("cat /proc/$(systemctl show --property MainPID --value greenroom)/status")
    for line in (r"CapEff:\t0+", r"CapBnd:\t0+", r"NoNewPrivs:\t1", r"Seccomp:\t2"):
        assert re.search(rf"^{line}$", status, re.MULTILINE), status
    assert not re.search(r"^Uid:\t0", status, re.MULTILINE), "it is not root"

    machine.run("systemctl reload greenroom")
    assert "workers.replaced" in machine.run("journalctl --no-pager --unit greenroom")
    began_s = time.monotonic()
    machine.run("systemctl restart greenroom")
    assert '"ready"' in machine.page("/readyz")
    measured("F", "the service is restarted and answers", time.monotonic() - began_s, "s", at_most=30)
    machine.run("systemctl stop greenroom")
    assert machine.run("systemctl show --property Result,ExecMainStatus greenroom").split() == [
        "Result=success", "ExecMainStatus=0"
    ]  # fmt: skip
    assert '"ready"' in machine.page("/readyz"), "systemd has kept the port, and starts the service"

    settings = (
        f"GREENROOM_DATA__FOLDER={DEMO} GREENROOM_SERVER__DEMO=yes GREENROOM_LIMITS__VISITS_PER_ADDRESS=0"
    )
    unit = root / "etc/systemd/system/greenroom.service.d/demo.conf"
    unit.parent.mkdir()
    unit.write_text(f"[Service]\nEnvironment={settings}\n")
    machine.run("systemctl daemon-reload; systemctl restart greenroom")
    there = parse({"data": {"folder": f"{root}{DEMO}"}}, "test")
    (root / "root/staff").write_text(
        "".join(f"{email} {demo.password(there, email)}\n" for email in (OSEI, LIND))
    )
    how = f"--insecure -n {VISITS} -a steady:5/s -p 2 --talk 1s --media light --credentials /root/staff"
    machine.run(
        f"cd /root && {GREENROOM} peers https://{NAME}/demo {how} --fail-if 'errors>0' --report report"
    )
    seen = Observations.load(root / "root/report/observations.jsonl")
    assert len(seen.steps["hang_up"]) == VISITS
