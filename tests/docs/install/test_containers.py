"""Tests the Dockerfile, the compose file and the manifests without a container engine: schemas, settings, ports, paths.

`schemas` holds the schema of the Compose Specification, and Kubernetes 1.37's schemas of the kinds of object that are
used. Both are licensed under Apache-2.0; their descriptions are left out.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

from tests.docs.marked import DOCS, ROOT
from web.app import ROUTES
from web.config import Settings, load, refuse_plain_http
from web.server.data_key import FILE
from web.server.valkey import OPTIONS

INSTALL = DOCS / "install"
SCHEMAS = Path(__file__).with_name("schemas")
GIVEN = {"TURN_SECRET": "0123456789abcdef", "GRAFANA_PASSWORD": "0123456789abcdef"}
PAGES = 8000


@cache
def compose() -> dict[str, Any]:
    """Return the compose file with the values of env.example."""
    values = dict(
        re.findall(r"^(\w+)=(.*)$", (INSTALL / "compose/env.example").read_text("utf-8"), re.MULTILINE)
    )
    values |= GIVEN
    text = (INSTALL / "compose/compose.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(
        re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda name: values[name[1]], text)
    )
    return found


@cache
def manifests() -> dict[str, Any]:
    """Return kind -> object, for the objects of the manifests.

    Of several objects of a kind, the last object is returned.
    """
    found = yaml.safe_load_all((INSTALL / "kubernetes/greenroom.yaml").read_text("utf-8"))
    return {each["kind"]: each for each in found}


def image() -> dict[str, str]:
    """Return the environment variables that the Dockerfile sets, with their values."""
    text = (INSTALL / "Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2]
    return dict(re.findall(r'(GREENROOM_\w+)="([^"]*)"', text))


def settings_of(environment: dict[str, str]) -> Settings:
    """Return the settings of a container of this image with these environment variables. Files of
    secrets are not read.
    """
    given = {name: value for name, value in environment.items() if not name.endswith("_FILE")}
    settings = load(None, {}, image() | given)
    refuse_plain_http(settings)
    return settings


def ports_of(settings: Settings) -> set[int]:
    return {port for index in range(settings.server.workers) for port in settings.media_ports(index)}


def servers() -> dict[str, Any]:
    """Return the services of the compose file that run Greenroom, by name."""
    return {name: found for name, found in compose()["services"].items() if found["image"] == "greenroom"}


def test_the_compose_file_follows_the_specification() -> None:
    jsonschema_rs.validate(json.loads((SCHEMAS / "compose.json").read_text("utf-8")), compose())


def test_the_manifests_follow_the_schemas_of_kubernetes() -> None:
    known = json.loads((SCHEMAS / "kubernetes.json").read_text("utf-8"))
    for kind, found in manifests().items():
        (name,) = [name for name in known["$defs"] if name.endswith(f".{kind}")]
        jsonschema_rs.validate({**known, "$ref": f"#/$defs/{name}"}, found)


def test_everything_that_the_image_copies_exists_and_its_program_is_greenroom() -> None:
    text = (INSTALL / "Dockerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()[:-1]), line
    assert re.search(r"^USER \d+$", text, re.MULTILINE), "not root, and a number"
    assert '\nENTRYPOINT ["greenroom"]\n' in text
    assert load(None, {}, image()).data.folder == re.search(r"^VOLUME (.+)$", text, re.MULTILINE)[1]  # type: ignore[index]


def test_an_image_can_be_built_with_the_packages_for_traces() -> None:
    text = (INSTALL / "Dockerfile").read_text("utf-8")
    chosen = re.findall(r"REQUIREMENTS=(\S+)", text)
    assert sorted(chosen) == ["run.txt", "tracing.txt"]
    run, tracing = (locked(ROOT / "requirements" / name) for name in ("run.txt", "tracing.txt"))
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert run < tracing
    assert {re.split("[><=]", each)[0] for each in extra["tracing"]} <= {
        each.partition("==")[0] for each in tracing - run
    }


def locked(path: Path) -> set[str]:
    """Return the packages in a lock file, each with its version."""
    return set(re.findall(r"^[\w.-]+==[^\s;]+", path.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", servers())
def test_a_server_of_the_compose_file_can_use_its_settings_and_opens_their_ports(name: str) -> None:
    service = servers()[name]
    settings = settings_of(service["environment"])
    assert settings.server.port == PAGES
    for kind in ("udp", "tcp"):
        (opened,) = [ports.removesuffix(f"/{kind}") for ports in service["ports"] if ports.endswith(kind)]
        outside, inside = opened.split(":")
        first, last = map(int, inside.split("-"))
        assert outside == inside
        assert set(range(first, last + 1)) == ports_of(settings)
    assert settings.server.trusted_proxies == (
        compose()["networks"]["inside"]["ipam"]["config"][0]["subnet"],
    )
    assert service["stop_grace_period"] == "60s"
    assert settings.server.drain_s * 2 < 60
    assert f"./secret.key:{settings.data.folder}/{FILE}:ro" in service["volumes"]
    assert f"{name}:{PAGES}" in compose()["services"]["caddy"]["environment"]["SERVERS"].split()


def test_prometheus_asks_all_servers_of_the_compose_file_and_grafana_asks_prometheus() -> None:
    folder = INSTALL / "compose"
    (job,) = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    asked = [target for group in job["static_configs"] for target in group["targets"]]
    assert asked == [
        f"{name}:{settings_of(found['environment']).metrics.port}" for name, found in servers().items()
    ]
    (source,) = yaml.safe_load((folder / "grafana.yml").read_text("utf-8"))["datasources"]
    assert source["url"].split(":")[1].strip("/") in compose()["services"]


def test_the_alert_rules_and_the_dashboard_are_where_the_compose_file_says() -> None:
    folder, services = INSTALL / "compose", compose()["services"]
    held = {
        inside: folder / path
        for service in ("prometheus", "grafana")
        for path, inside, _ in (
            each.split(":") for each in services[service]["volumes"] if each.startswith(".")
        )
    }
    (rules,) = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))["rule_files"]
    assert held[rules].samefile(DOCS / "operations/alerts.yml")
    (provider,) = yaml.safe_load((folder / "dashboards.yml").read_text("utf-8"))["providers"]
    (dashboard,) = (path for inside, path in held.items() if inside.startswith(provider["options"]["path"]))
    assert dashboard.samefile(DOCS / "operations/dashboard.json")


def test_every_file_that_the_compose_file_mounts_exists_except_the_secret_key() -> None:
    mounted = {
        each.split(":")[0]
        for service in compose()["services"].values()
        for each in service.get("volumes", ())
    }
    files = {path for path in mounted if path.startswith(".")}
    assert {path for path in files if not (INSTALL / "compose" / path).exists()} == {"./secret.key"}
    assert mounted - files == set(compose()["volumes"])


def test_the_relay_of_the_compose_file_has_the_servers_secret_and_leads_to_their_address() -> None:
    settings = settings_of(servers()["one"]["environment"])
    said = compose()["services"]["coturn"]["command"]
    assert f"--static-auth-secret={settings.media.turn_secret}" in said
    assert f"--allowed-peer-ip={settings.media.announce[0]}" in said
    # coturn has removed these options, which have no effect any more, and ends if it does not know an option.
    assert not {"--no-cli", "--no-dtls"} & set(said)
    assert f"--listening-port={settings.media.turn[0].split(':')[2].split('?')[0]}" in said


def test_the_store_of_the_compose_file_keeps_what_the_embedded_one_keeps() -> None:
    said = compose()["services"]["valkey"]["command"][1:]
    assert dict(line.removeprefix("--").split(" ") for line in said) == {
        name: value or '""' for name, value in OPTIONS.items()
    }


def test_a_pod_can_use_its_settings_and_opens_their_ports_on_its_node() -> None:
    pod = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = settings_of(manifests()["ConfigMap"]["data"])
    for kind in ("UDP", "TCP"):
        opened = {
            each["hostPort"]: each["containerPort"]
            for each in container["ports"]
            if each.get("protocol") == kind
        }
        assert opened == {port: port for port in ports_of(settings)}
    assert pod["terminationGracePeriodSeconds"] > 2 * settings.server.drain_s
    assert {"name": "pages", "containerPort": settings.server.port} in container["ports"]
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    assert {"/tmp", settings.data.folder, f"{settings.data.folder}/{FILE}"} <= mounted
    assert Path(manifests()["ConfigMap"]["data"]["GREENROOM_REDIS__URL_FILE"]).parent in map(Path, mounted)
    assert f"USER {pod['securityContext']['runAsUser']}\n" in (INSTALL / "Dockerfile").read_text("utf-8")


def test_probes_ask_for_paths_that_the_server_has() -> None:
    (container,) = manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    asked = {container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
    assert asked == {"/healthz", "/readyz"} <= {route.path for route in ROUTES}


class Health(http.server.BaseHTTPRequestHandler):
    """Answers /healthz with the status in `answer`."""

    answer = 200

    def do_GET(self) -> None:
        self.send_response(self.answer if self.path == "/healthz" else 404)
        self.end_headers()


def test_the_health_check_of_the_image_asks_the_port_that_is_set_and_never_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (INSTALL / "Dockerfile").read_text("utf-8").replace("\\\n", "")
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.+\])$", text, re.MULTILINE)
    program, *words = json.loads(command)
    assert (program, image()["GREENROOM_SERVER__PORT"]) == ("python", str(PAGES))
    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for answer, port, code in ((200, server.server_port, 0), (503, server.server_port, 1), (200, 1, 1)):
            monkeypatch.setattr(Health, "answer", answer)
            variables = {"GREENROOM_SERVER__PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
            done = subprocess.run(
                [sys.executable, *words], env={**os.environ, **variables}, capture_output=True, timeout=60
            )
            assert done.returncode == code, done.stderr
        server.shutdown()


def test_the_selectors_of_the_manifests_select_the_pods_of_the_stateful_set() -> None:
    kinds = manifests()
    labels = kinds["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert kinds["StatefulSet"]["spec"]["selector"]["matchLabels"] == labels
    assert kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert kinds["Service"]["spec"]["selector"] == labels
    assert kinds["Service"]["metadata"]["name"] == kinds["StatefulSet"]["spec"]["serviceName"]
