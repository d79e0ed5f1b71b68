"""Tests the compose file of docs/install as a whole, by the commands of docs/OPERATIONS.md.

Docker runs it on a machine of its own, an empty Debian 13 with Docker and Compose. Patients and providers come from
another machine: by https through Caddy, with media through the published ports, and in browsers through coturn.
Grafana does not run, because neither Debian nor a registry of packages has it.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from greenroom import Clinic
from tests.browsers import ARGUMENTS, shared
from tests.docs.install.test_containers import INSTALL, compose
from tests.docs.marked import DOCS
from tests.faults.conftest import Measured
from tests.faults.containers import MINUTE, opened_podman
from tests.faults.elsewhere import ADDRESS, INIT, PASSWORD, SITE, Call, call, elsewhere, received, set_up
from tests.faults.machine_with_engine import IMAGES, Base, Machine
from tests.journeys.people import in_call
from tests.journeys.test_networks import CONNECTIONS, ONLY_TURN, PATH
from tests.web.server.test_processes import until

FOLDER = "docs/install/compose"
OSEI = "osei@lakeside.example"
STAFF = [f"{name}@lakeside.example" for name in ("lind", "hale", "berg", "diaz")]
WITHOUT_GRAFANA = "services:\n  grafana: {profiles: [not-here]}\n"
MISSING = "grafana/grafana:12.0.0"
ASK_RULES = (
    "import urllib.request as r; print(r.urlopen('http://localhost:9090/api/v1/rules').read().decode())"
)


def commands() -> tuple[str, str]:
    """Return the document's commands before `docker compose up`, and from there on."""
    section = (DOCS / "OPERATIONS.md").read_text("utf-8").split("### In containers")[1]
    block = re.findall(r"```sh\n(.*?)```", section.split("\n### ")[0], re.DOTALL)[0]
    first, begin, second = block.partition("docker compose up")
    return first, begin + re.sub(r"( greenroom init)$", rf"\1 {INIT}", second, flags=re.MULTILINE)


def rotation() -> list[str]:
    """Return the document's commands for another data key."""
    after = (DOCS / "OPERATIONS.md").read_text("utf-8").split("In the compose file's folder:")[1]
    return re.sub(" *#.*", "", re.findall(r"```sh\n(.*?)```", after, re.DOTALL)[0]).splitlines()


def fill_in(folder: Path) -> None:
    """Fill in the file .env, as the document asks, and leave Grafana out."""
    values = {"SITE": SITE, "ADDRESS": ADDRESS, "TURN_SECRET": secrets.token_hex(32)}
    values |= {"GRAFANA_PASSWORD": secrets.token_hex(16)}
    file = folder / ".env"
    filled = re.sub(
        r"^(\w+)=.*$", lambda line: f"{line[1]}={values[line[1]]}", file.read_text(), flags=re.MULTILINE
    )
    file.write_text(filled)
    (folder / "compose.override.yaml").write_text(WITHOUT_GRAFANA)


@pytest.fixture
def machine(base: Base) -> Iterator[Machine]:
    """A machine with Docker, Compose and the images that the compose file asks for."""
    with opened_podman() as podman:
        made = Machine(podman, base, "docker.io docker-cli docker-compose", "dockerd")
        made.make_images()
        yield made


class Services:
    """The services of the compose file on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __call__(self, command: str) -> str:
        """Return the output of a command of `docker compose`. Raises AssertionError if it fails."""
        return self._machine.run(f"docker compose {command}", FOLDER)

    def healthy(self, *names: str) -> None:
        """Return when these services are healthy. Raises AssertionError if that takes more than two minutes."""
        until(lambda: {f"{name} healthy" for name in names} <= self._states(), 2 * MINUTE)

    def _states(self) -> set[str]:
        return set(self("ps --format '{{.Service}} {{.Health}}'").splitlines())

    def targets(self) -> dict[str, str]:
        """Return server -> 1 if Prometheus has read its metrics in its last try, otherwise 0."""
        answer = self("exec -T prometheus promtool query instant http://localhost:9090 up")
        return dict(re.findall(r'instance="(\w+):\d+".*=> (\d)', answer))

    def completed(self) -> int:
        """Return how many visits the servers have kept that were completed."""
        self("exec -T two sh -c 'rm -rf /tmp/all && greenroom export /tmp/all --organisation demo --all'")
        kept = self("exec -T two cat /tmp/all/visits.jsonl").splitlines()
        return sum('"completed"' in line for line in kept)


async def through_coturn(chromium: str) -> None:
    """Play a visit of two browsers, of which the patient's sends its media through coturn only."""
    arguments = [*ARGUMENTS, "--ignore-certificate-errors", f"--host-resolver-rules=MAP {SITE} {ADDRESS}"]
    server: Any = SimpleNamespace(url=f"https://{SITE}", output=f"{OSEI} {PASSWORD}")
    async with shared(chromium, arguments) as kept, kept.lent() as browser:
        patient, provider = await in_call(browser, server, ONLY_TURN, CONNECTIONS)
        assert (await patient.page.evaluate(PATH))["local"] == "relay"
        assert [*patient.problems, *provider.problems] == []


def test_the_images_are_those_of_the_compose_file() -> None:
    asked = {service["image"] for service in compose()["services"].values()}
    assert asked == {name.removeprefix("library/") for name in IMAGES} | {"greenroom", MISSING}


@pytest.mark.minutes
async def test_the_compose_file_runs_as_a_whole_and_keeps_its_visits(
    machine: Machine, chromium: str, tmp_path: Path, measured: Measured
) -> None:
    services = Services(machine)
    first, second = commands()
    machine.run(first)
    fill_in(machine.checkout / FOLDER)
    with elsewhere(machine.pid):
        said = machine.run(second, FOLDER)
        services.healthy("one", "two", "valkey")
        for email in (OSEI, *STAFF):
            services(
                f"exec -T one greenroom user add {email} --name {email[:4]} --state TX --stdin <<E\n{PASSWORD}\nE"
            )
        ca = tmp_path / "ca.pem"
        ca.write_text(services("exec -T caddy cat /data/caddy/pki/authorities/local/root.crt"))
        async with Clinic(f"https://{SITE}/demo", ca=ca) as clinic:
            (link,) = re.findall(rf"https://{SITE}\S+/staff/invitation/\S+", said)
            await set_up(clinic, link)
            until(lambda: services.targets() == {"one": "1", "two": "1"}, MINUTE)
            rules = json.loads(services(f'exec -T prometheus python3 -c "{ASK_RULES}"'))["data"]["groups"]
            written = (INSTALL.parent / "operations/alerts.yml").read_text("utf-8")
            assert sum(len(group["rules"]) for group in rules) == len(re.findall("- alert:", written)) > 0
            async with AsyncExitStack() as people:
                calls = [await call(people, clinic, email, number) for number, email in enumerate(STAFF)]
                await dies(services, calls, measured)
                for each in calls:
                    await each.end()
                async with AsyncExitStack() as others:
                    later = await call(others, clinic, STAFF[0], len(STAFF))
                    await later.end()
            until(lambda: services.targets() == {"one": "0", "two": "1"}, MINUTE)
        services("up --detach")
        services.healthy("one", "two")
        await through_coturn(chromium)
        assert services("logs coturn")
        assert services.completed() == len(STAFF) + 1
        services("down")
        assert services("ps --all --quiet") == ""
        services("up --detach")
        services.healthy("one", "two", "valkey")
        assert services.completed() == len(STAFF) + 1
        rotated = [machine.run(f"{line} || [ $? = 1 ]", FOLDER) for line in rotation()]
        assert "Everything has the new data key" in rotated[3]
        assert services.completed() == len(STAFF) + 1
        assert "unbroken" in services("exec -T two greenroom audit verify")


async def dies(services: Services, calls: list[Call], measured: Measured) -> None:
    """Kill a server with SIGKILL, and check that all calls go on."""
    killed_s = time.monotonic()
    await asyncio.to_thread(services, "kill one")
    await received(calls, 300, MINUTE)
    measured(
        "F",
        "compose: a server is killed, all calls receive again",
        time.monotonic() - killed_s,
        "s",
        at_most=10,
    )
    people = [room.person for each in calls for room in each]
    assert any(person.seen.closes for person in people), "some were connected to the server that died"
