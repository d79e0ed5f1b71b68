"""Tests the dashboard and the alert rules of docs/operations: they name only metrics that exist, and a
Prometheus beside a server can evaluate them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.docs.marked import DOCS
from tests.limits import WAIT_S
from tests.server import RunningServer
from web.metrics.table import METRICS

RULES, DASHBOARD = DOCS / "operations/alerts.yml", DOCS / "operations/dashboard.json"
TOKEN = "a token for Prometheus"
NOT_YET = {metric.name for metric in METRICS if metric.kind == "counter" and metric.labels}
"""The metrics that have no series until something is counted for the first time."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: greenroom
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: {targets}}}]
"""


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard, without the headings between them."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> list[str]:
    """Return each PromQL expression of the alert rules and the dashboard, with a value for Grafana's variable."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [
        *re.findall(r"^ +expr: (.+)$", RULES.read_text("utf-8"), re.MULTILINE),
        *(expression.replace("$__rate_interval", "5m") for expression in shown),
    ]


def test_rules_and_panels_ask_for_metrics_that_exist_by_labels_that_they_have() -> None:
    names = {metric.name + suffix: metric for metric in METRICS for suffix in SUFFIXES[metric.kind]}
    assert len(expressions()) > 50
    for expression in expressions():
        asked = re.findall(r"\bgreenroom_\w+", expression)
        assert set(asked) <= names.keys(), expression
        assert asked or expression.startswith("up{"), expression
        labels = {"le", "instance"}.union(*(names[name].all_labels for name in asked))
        grouped = ", ".join(re.findall(r"by \(([^)]*)\)", expression)).split(", ")
        selected = re.findall(r"(\w+)!?=", expression.replace('{job="greenroom"}', "").replace("==", ""))
        assert {*grouped, *selected} - {""} <= labels, expression


def test_each_metric_is_in_the_dashboard_once_at_least_and_each_panel_has_a_place_of_its_own() -> None:
    text = DASHBOARD.read_text("utf-8")
    assert [metric.name for metric in METRICS if metric.name not in text] == []
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels()}) == len(places)


@pytest.fixture
def prometheus() -> str:
    """The path of Prometheus; a test that uses it is skipped if there is none."""
    found = shutil.which("prometheus")
    if found is None or shutil.which("promtool") is None:
        pytest.skip("no Prometheus here: install prometheus")
    return found


def test_promtool_accepts_the_alert_rules(prometheus: str) -> None:
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


class Running:
    """A Prometheus with its web interface at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        """Return the data of the answer to a GET of its API."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:
            found = json.load(answer)
        assert found["status"] == "success", (query, found)
        return found["data"]


@contextmanager
def started(program: str, folder: Path, *servers: RunningServer) -> Iterator[Running]:
    """Run Prometheus with our rules, which reads the metrics of the servers each second; yield it when it is ready.

    `program`: its path. `folder`: the folder for its files.
    """
    targets = json.dumps([server.url.removeprefix("http://") for server in servers])
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(rules=RULES, token=TOKEN, targets=targets))
    options = (
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
    )
    log = folder / "prometheus.log"
    with log.open("wb") as out:
        process = subprocess.Popen([program, *options], stdout=out, stderr=out)
    try:
        yield Running(f"http://{_address(process, log)}")
    finally:
        process.terminate()
        process.wait(WAIT_S)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address (host:port) on which a Prometheus process listens, as soon as it is ready.

    `log`: its output.
    """
    deadline_s = time.monotonic() + WAIT_S
    while "ready to receive web requests" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.05)
    (address,) = re.findall(r'msg="Listening on".* address=(\S+)', log.read_text())
    return str(address)


def _judged(running: Running) -> list[dict[str, Any]]:
    """Return the alert rules that Prometheus has evaluated until now."""
    groups = running.get("rules")["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["health"] != "unknown"]


@pytest.mark.long
def test_prometheus_scrapes_a_server_and_evaluates_each_rule_and_each_panel(
    prometheus: str, greenroom_server: StartServer, tmp_path: Path
) -> None:
    server = greenroom_server(workers=2, metrics={"token": TOKEN})
    with started(prometheus, tmp_path, server) as running:
        deadline_s = time.monotonic() + 2 * WAIT_S
        while not running.get("query", query="greenroom_workers == 2")["result"]:
            assert time.monotonic() < deadline_s, running.get("targets")
            time.sleep(0.1)
        for expression in expressions():
            running.get("query", query=expression)
        while len(rules := _judged(running)) < len(re.findall("- alert:", RULES.read_text("utf-8"))):
            assert time.monotonic() < deadline_s, rules
            time.sleep(0.1)
        assert [rule for rule in rules if rule["health"] != "ok"] == []
        scraped = set(running.get("label/__name__/values"))
    missing = [metric.name for metric in METRICS if not {metric.name, f"{metric.name}_count"} & scraped]
    assert set(missing) <= NOT_YET, "what a quiet server has not counted"
