"""Passes on the figures of a run during the run: lines of JSON, a live page, metrics for Prometheus, and OTLP.

The run's own thread calculates the figures (`Outputs.tick`), at most once a second. The threads of this module only
send these figures, so that a slow reader does not delay the run.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from web.peers.errors import PlanError
from web.peers.report.moment import METRICS, Moment, moment, samples
from web.peers.run.observations import Observations

EVERY_S: Final = 1.0
ASKED_S: Final = 10.0
"""After a request for the live page, the page is made again with all new figures for this time in s.

Then no page is made before the next request.
"""
WAIT_S: Final = 5.0
"""The longest time in s that an HTTP request waits for the first figures of a run."""


class Outputs:
    """A context manager that passes on the figures of a run while it goes on.

    `lines`: the file for lines of JSON, or - for standard output. `live`: the address of the live page and of
    /metrics, such as 127.0.0.1:8090. `otlp`: the address of a receiver of OTLP over HTTP. `page`: makes the live page.
    Raises PlanError if an address or a package cannot be used, and OSError if the file cannot be written.
    """

    def __init__(
        self,
        planned: int,
        page: Callable[[Observations], str],
        *,
        lines: Path | None = None,
        live: str = "",
        otlp: str = "",
    ) -> None:
        self._planned, self._page = planned, page
        self._lines_path, self._live_at, self._otlp_at = lines, live, otlp
        self._ticked = 0.0
        self._lines: IO[bytes] | None = None
        self._server: _LiveServer | None = None
        self.now: Moment | None = None
        self._stack = ExitStack()

    @property
    def address(self) -> str:
        """The address of the live page; "" if there is none."""
        if self._server is None:
            return ""
        host = str(self._server.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}/"

    def __enter__(self) -> Outputs:
        with ExitStack() as opened:
            if self._lines_path is not None:
                to_stdout = str(self._lines_path) == "-"
                self._lines = (
                    sys.stdout.buffer if to_stdout else opened.enter_context(self._lines_path.open("wb"))
                )
            if self._live_at:
                self._server = opened.enter_context(_serving(self._live_at))
            if self._otlp_at:
                opened.enter_context(_sending(self._otlp_at, lambda: self.now))
            self._stack = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def tick(self, seen: Observations, *, last: bool = False) -> None:
        """Pass on the present figures. If this was done less than EVERY_S seconds ago, do it only if `last` is true."""
        if not last and time.monotonic() - self._ticked < EVERY_S:
            return
        self._ticked = time.monotonic()
        if self._lines is None and self._server is None and not self._otlp_at:
            return
        self.now = moment(seen, self._planned)
        if self._lines is not None:
            self._write(self._lines, msgspec.json.encode(self.now) + b"\n")
        if self._server is not None:
            self._server.show(self.now, lambda: self._page(seen))

    def _write(self, lines: IO[bytes], line: bytes) -> None:
        """Write a line; if that fails, such as on a full disk, print that there are no more lines. The run goes on."""
        try:
            lines.write(line)
            lines.flush()
        except OSError as problem:
            self._lines = None
            # What could not be written is still in a buffer, and would be an error again when the file is closed.
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), lines.fileno())
            where = f"{self._lines_path}: {problem.strerror}"
            print(f"greenroom peers: no more lines are written: {where}", file=sys.stderr)  # noqa: T201


class _LiveServer(ThreadingHTTPServer):
    """Serves the figures that `show` received last: a page at /, JSON at /figures, Prometheus's format at /metrics."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)
        self.now: Moment | None = None
        self.page = b""
        self._asked = 0.0
        self._news = threading.Condition()

    def show(self, now: Moment, page: Callable[[], str]) -> None:
        """Store the figures `now` for the next requests; also make the page, if it was requested recently."""
        made = page().encode() if time.monotonic() - self._asked < ASKED_S else b""
        with self._news:
            self.now, self.page = now, made
            self._news.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no error if a reader has left, because it would disturb the terminal's display of the run."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def ask(self, *, page: bool) -> None:
        """Wait, for at most WAIT_S seconds, for the first figures, or for the first page if `page` is true."""
        with self._news:
            self._asked = time.monotonic() if page else self._asked
            self._news.wait_for(lambda: self.page if page else self.now, WAIT_S)


class _Handler(BaseHTTPRequestHandler):
    server: _LiveServer
    timeout = WAIT_S

    def do_GET(self) -> None:
        """Answer a request: / with the page, /figures with JSON, /metrics with the figures in Prometheus's format."""
        kinds = {"/": "text/html", "/figures": "application/json", "/metrics": "text/plain"}
        kind = kinds.get(self.path)
        if kind is None:
            self.send_error(404)
            return
        self.server.ask(page=self.path == "/")
        now, page = self.server.now, self.server.page
        if now is None or (self.path == "/" and not page):
            self.send_error(503, "The run has not begun")
            return
        body = {
            "/": lambda: page,
            "/figures": lambda: msgspec.json.encode(now),
            "/metrics": lambda: prometheus(now),
        }[self.path]()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log no request for the live page or the figures, because lines of a log would disturb the terminal's
        display of the run.
        """


def prometheus(now: Moment) -> bytes:
    """Return the figures `now` of a run in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    families = {
        metric: (CounterMetricFamily if metric.total else GaugeMetricFamily)(
            metric.name, metric.about, labels=[metric.label]
        )
        for metric in METRICS
    }
    for metric, label, value in samples(now):
        families[metric].add_metric([label], value)

    class Collector:
        def collect(self) -> Iterable[object]:
            return families.values()

    registry = CollectorRegistry()
    registry.register(Collector())  # type: ignore[arg-type]
    return generate_latest(registry)


@contextmanager
def _serving(listen: str) -> Iterator[_LiveServer]:
    """Serve the live page at this address until the end of the context."""
    host, colon, port = listen.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 1 << 16):
        raise PlanError(f"expected an address like 127.0.0.1:8090 for --live; found {listen!r}")
    try:
        host.encode("idna")  # fails if the network cannot look this name up
        server = _LiveServer((host.strip("[]"), int(port)))
    except UnicodeError:
        raise PlanError(f"expected an address like 127.0.0.1:8090 for --live; found {listen!r}") from None
    except OSError as problem:
        raise PlanError(f"cannot listen at {listen} for --live: {problem.strerror}") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="live page", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _sending(endpoint: str, now: Callable[[], Moment | None]) -> Iterator[None]:
    """Send the newest figures to a receiver of OTLP every five seconds, and once more at the end."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.metrics import CallbackOptions, Observation
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    except ImportError:
        raise PlanError("expected for --otlp the packages of greenroom[tracing]") from None
    exporter = OTLPMetricExporter(endpoint.rstrip("/") + "/v1/metrics", timeout=WAIT_S)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=5000)])
    meter = provider.get_meter("greenroom.peers")

    def values(name: str) -> Callable[[CallbackOptions], Sequence[Observation]]:
        def observed(options: CallbackOptions) -> Sequence[Observation]:
            if (newest := now()) is None:
                return []
            return [
                Observation(value, {metric.label: label})
                for metric, label, value in samples(newest)
                if metric.name == name
            ]

        return observed

    for metric in METRICS:
        make = meter.create_observable_counter if metric.total else meter.create_observable_gauge
        make(metric.name, [values(metric.name)], description=metric.about)
    try:
        yield
    finally:
        provider.shutdown(timeout_millis=WAIT_S * 1000)
