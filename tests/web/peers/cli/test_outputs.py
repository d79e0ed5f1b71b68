"""Tests how the figures of a run can be read during the run: lines of JSON, a page that updates itself, Prometheus and
OTLP.
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.limits import WAIT_S
from tests.web.peers.runs import run
from web.peers.cli import outputs as module
from web.peers.cli.outputs import Outputs
from web.peers.cli.playing import live_page
from web.peers.errors import PlanError
from web.peers.report.moment import METRICS, moment
from web.peers.run.observations import Observations


@pytest.fixture(autouse=True)
def _any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a request and an export take as long as they do on a busy machine."""
    monkeypatch.setattr(module, "WAIT_S", WAIT_S)


def page(seen: Observations) -> str:
    return live_page(seen, ["errors>0", "hang_up.p99>1s"])


def got(address: str) -> str:
    with urllib.request.urlopen(address, timeout=WAIT_S) as answer:
        return str(answer.read().decode())


def test_each_second_is_a_line_of_json_and_the_end_of_the_run_is_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", WAIT_S)
    seen = run(lost=3)
    with Outputs(500, page, lines=tmp_path / "lines") as outputs:
        for last in (False, False, True):
            outputs.tick(seen, last=last)
    lines = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0]["planned"] == 500
    assert lines[0]["people"]["done"] == 397
    assert lines[0]["steps"]["claim"]["count"] == 400
    assert 0 < lines[0]["steps"]["claim"]["p50_s"] < lines[0]["steps"]["claim"]["p99_s"]
    assert lines[0]["errors"] == {"too_late": 3}
    assert lines[0]["gauges"]["server_rss"] == 90e6 + 399


def test_the_live_page_is_the_report_of_now_and_renews_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    seen, over, made = run(lost=3), threading.Event(), []

    def counted(so_far: Observations) -> str:
        made.append(1)
        return page(so_far)

    with Outputs(400, counted, live="127.0.0.1:0") as outputs:
        outputs.tick(seen)
        assert not made  # The page is made only when somebody requests it, because making it costs CPU.

        def play() -> None:
            while not over.wait(0.02):
                outputs.tick(seen)

        playing = threading.Thread(target=play)
        playing.start()
        try:
            shown = got(outputs.address)
            figures = json.loads(got(f"{outputs.address}figures"))
            scraped = list(text_string_to_metric_families(got(f"{outputs.address}metrics")))
            with pytest.raises(urllib.error.HTTPError, match="404"):
                got(f"{outputs.address}other")
        finally:
            over.set()
            playing.join()
    assert "397 of 400 visits have gone through" in shown
    assert "the run goes on" in shown
    # The threshold of the step `hang_up` is not counted, because no call of this run has ended.
    assert "1 of 1 thresholds broken" in shown
    assert 'fetch("/")' in shown
    assert figures["people"]["done"] == 397
    assert {family.name for family in scraped} == {metric.name for metric in METRICS}
    values = {(one.name, *one.labels.values()): one.value for family in scraped for one in family.samples}
    assert values["greenroom_peers_steps_total", "claim"] == 400
    assert values["greenroom_peers_errors_total", "too_late"] == 3
    assert values["greenroom_peers_events_total", "freezes"] == 2


def test_delays_of_several_processes_are_not_added_as_their_cpu_is() -> None:
    seen = Observations()
    for source, delay_s in enumerate((0.02, 0.05)):
        lines = f'["gauge","driver_lag",1,{delay_s},0]\n["gauge","driver_cpu",1,0.5,0]\n'
        seen.absorb(lines.encode(), source=source)
    assert moment(seen, 1).gauges == {"driver_lag": 0.05, "driver_cpu": 1.0}


def test_a_run_that_has_just_begun_has_a_page() -> None:
    assert "0 of 0 visits have gone through" in page(Observations())


def test_the_figures_are_sent_by_otlp_and_once_more_at_the_end() -> None:
    bodies: list[bytes] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Write no line to the log for a request (called by `http.server`)."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True).start()
        with Outputs(400, page, otlp=f"http://127.0.0.1:{receiver.server_port}") as outputs:
            outputs.tick(run(lost=3), last=True)
        receiver.shutdown()
    sent = {
        (metric.name, point.attributes[0].value.string_value): point.as_int or point.as_double
        for resource in ExportMetricsServiceRequest.FromString(bodies[-1]).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in (metric.sum.data_points or metric.gauge.data_points)
    }
    assert sent["greenroom_peers_steps", "claim"] == 400
    assert sent["greenroom_peers_errors", "too_late"] == 3
    assert sent["greenroom_peers_step_p99_seconds", "claim"] == moment(run(lost=3), 400).steps["claim"].p99_s


def test_the_live_page_may_listen_at_an_address_of_ipv6() -> None:
    with Outputs(1, page, live="[::1]:0") as outputs:
        outputs.tick(Observations())
        assert json.loads(got(f"{outputs.address}figures"))["planned"] == 1


@pytest.mark.parametrize(
    "listen", ["8090", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ":80", "a..b:80"]
)
def test_an_address_that_cannot_be_used_is_one_sentence(listen: str) -> None:
    with pytest.raises(PlanError, match="expected an address like 127"):
        Outputs(1, page, live=listen).__enter__()


def test_an_address_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PlanError, match=f"cannot listen at {listen} for --live: Address already in use"):
            Outputs(1, page, live=listen).__enter__()


@pytest.mark.parametrize(("problem", "printed"), [(ConnectionResetError(), False), (ValueError(), True)])
def test_a_reader_who_leaves_the_live_page_prints_no_error_to_the_terminal(
    problem: Exception, printed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Outputs(1, page, live="127.0.0.1:0") as outputs:
        assert outputs._server is not None
        try:
            raise problem
        except (OSError, ValueError):
            outputs._server.handle_error(None, ("127.0.0.1", 1))
    assert bool(capsys.readouterr().err) is printed
