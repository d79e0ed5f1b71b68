"""Tests the pod of the manifests in docs/install: podman plays it on a machine of its own, beside a Valkey and Caddy.

No cluster can be had here, and podman knows no StatefulSet. So the test makes of it what Kubernetes would make: a pod
and its claim of a volume. podman carries out no HTTP probe without curl in the image, has no `status.hostIP`, and gives
no volume the group of `fsGroup`: the test asks the probes' paths itself, writes the address, and gives the group of the
secret's files to the pod.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from greenroom import Clinic
from tests.docs.install.test_containers import manifests
from tests.docs.marked import DOCS
from tests.faults.containers import MINUTE, limits, opened_podman
from tests.faults.elsewhere import ADDRESS, INIT, PASSWORD, SITE, call, elsewhere, set_up
from tests.faults.machine_with_engine import Base, Machine
from tests.web.server.test_processes import until

PACKAGES = "podman podman-docker netavark aardvark-dns nftables runc catatonit kubectl"
SETTINGS = """
[containers]
default_ulimits = [{limits}]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
NAME, CLAIM = "greenroom-0", "data-greenroom-0"
"""The names that Kubernetes gives to the first pod of the StatefulSet, and to the claim of its volume."""
INSIDE = f"podman exec {NAME}-greenroom"
OSEI = "osei@lakeside.example"
ASK = "import urllib.request as r; print(r.urlopen('http://{address}:8000{path}', timeout=5).status)"


def commands() -> tuple[str, str]:
    """Return the document's commands before the secret is made, and the command that makes it."""
    section = (DOCS / "OPERATIONS.md").read_text("utf-8").split("### On Kubernetes")[1]
    block = re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)[0]
    first, begin, rest = block.partition("kubectl create secret")
    return first, begin + rest.splitlines()[0]


def objects() -> list[dict[str, Any]]:
    """Return what podman can play of the manifests: the settings, and the first pod with its claim of a volume."""
    kinds = deepcopy(manifests())
    settings, spec = kinds["ConfigMap"], kinds["StatefulSet"]["spec"]
    settings["data"]["GREENROOM_SERVER__PUBLIC_URL"] = f"https://{SITE}"
    (claim,) = spec["volumeClaimTemplates"]
    claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}}
    pod = {"apiVersion": "v1", "kind": "Pod", **spec["template"]}
    pod["metadata"]["name"] = NAME
    pod["spec"]["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}})
    del pod["spec"]["securityContext"]["fsGroup"]
    pod["spec"]["securityContext"]["supplementalGroups"] = [0]
    (container,) = pod["spec"]["containers"]
    (announced,) = container["env"]
    assert announced.pop("valueFrom") == {"fieldRef": {"fieldPath": "status.hostIP"}}
    announced["value"] = ADDRESS
    for probe in ("startup", "readiness", "liveness"):
        del container[f"{probe}Probe"]
    return [settings, claim, pod]


@pytest.fixture
def machine(base: Base) -> Iterator[Machine]:
    """A machine with podman, which is also its `docker`, and with the images of a store and a proxy."""
    with opened_podman() as podman:
        variables = ["--env=BUILDAH_ISOLATION=chroot", "--env=BUILDAH_FORMAT=docker"]
        made = Machine(podman, base, PACKAGES, "sleep infinity", *variables)
        given = ", ".join(f'"{each.removeprefix("--ulimit=")}"' for each in limits())
        (made.root / "etc/containers").mkdir(exist_ok=True)
        (made.root / "etc/containers/containers.conf").write_text(SETTINGS.format(limits=given))
        made.make_images()
        yield made


def play(machine: Machine) -> str:
    """Play the pod beside a Valkey and behind Caddy; return the pod's address, when all its probes are answered."""
    first, secret = commands()
    machine.run(first)
    machine.run(f"{secret} --dry-run=client --output yaml > /root/secret.yaml")
    (machine.root / "root/pod.yaml").write_text(yaml.safe_dump_all(objects()))
    machine.run("podman network create --subnet 10.244.0.0/24 pods")
    user = "--user user on >password ~* &* +@all"
    store = f"docker.io/valkey/valkey:9 valkey-server '{user}' --appendonly yes"
    machine.run(f"podman run --detach --name valkey --network pods {store}")
    machine.run(
        "cd /root && printf -- '---\n' | cat secret.yaml - pod.yaml | podman kube play --network pods -"
    )
    infra = machine.run(f"podman pod inspect {NAME} --format '{{{{.InfraContainerID}}}}'")
    of = "{{.NetworkSettings.Networks.pods.IPAddress}}"
    address = machine.run(f"podman inspect {infra} --format '{of}'")
    (container,) = manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    for probe in ("startup", "readiness", "liveness"):
        path = container[f"{probe}Probe"]["httpGet"]["path"]
        ask = f'python3 -c "{ASK.format(address=address, path=path)}" 2>/dev/null || true'
        until(lambda ask=ask: machine.run(ask) == "200", MINUTE)  # type: ignore[misc]
    recipe = "/root/greenroom/docs/install/proxies/Caddyfile:/etc/caddy/Caddyfile:ro"
    given = f"--env SITE={SITE} --env SERVERS={address}:8000 --volume {recipe}"
    machine.run(f"podman run --detach --name ingress --network host {given} docker.io/library/caddy:2")
    return address


@pytest.mark.minutes
async def test_the_pod_of_the_manifests_serves_a_visit_with_its_restrictions_and_stops_in_time(
    machine: Machine, tmp_path: Path
) -> None:
    with elsewhere(machine.pid):
        play(machine)
        status = machine.run(f"{INSIDE} cat /proc/1/status")
        for line in (r"Uid:\t10001", r"CapEff:\t0+", r"CapBnd:\t0+", r"NoNewPrivs:\t1", r"Seccomp:\t2"):
            assert re.search(rf"^{line}\b", status, re.MULTILINE), status
        refused = machine.run(f"{INSIDE} touch /opt/greenroom/new 2>&1 || true")
        assert "Read-only file system" in refused
        said = machine.run(f"{INSIDE} greenroom init {INIT}")
        user = f"greenroom user add {OSEI} --name Osei --state TX --stdin"
        machine.run(f"podman exec --interactive {NAME}-greenroom {user} <<E\n{PASSWORD}\nE")
        ca = tmp_path / "ca.pem"
        ca.write_text(machine.run("podman exec ingress cat /data/caddy/pki/authorities/local/root.crt"))
        async with Clinic(f"https://{SITE}/demo", ca=ca) as clinic, AsyncExitStack() as people:
            (link,) = re.findall(rf"https://{SITE}\S+/staff/invitation/\S+", said)
            await set_up(clinic, link)
            live = await call(people, clinic, OSEI, 1)
            await live.end()
        grace = manifests()["StatefulSet"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        machine.run(f"podman pod stop --time {grace} {NAME}")
        ended = machine.run(f"podman inspect {NAME}-greenroom --format '{{{{.State.ExitCode}}}}'")
        assert ended == "0", "it was not killed"
        machine.run(f"podman pod start {NAME}")
        export = f"{INSIDE} sh -c 'greenroom export /tmp/all --organisation demo --all && cat /tmp/all/visits.jsonl'"
        kept = machine.run(export).splitlines()
        assert [json.loads(line)["visit"]["outcome"] for line in kept if line.startswith("{")] == [
            "completed"
        ]
