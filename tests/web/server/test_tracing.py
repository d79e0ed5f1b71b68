"""Tests when tracing is on, what a worker sends at its end, and that the server runs without OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from signalling.tracing import Tracer
from tests.otlp import receiver
from tests.web.conftest import OpenSite
from web.config import Tracing, parse
from web.errors import ConfigError
from web.keys import SETTINGS, TRACER
from web.server import tracing
from web.server.open_telemetry import RESULT, OpenTelemetry


@pytest.fixture(autouse=True)
def as_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the environment variables that switch tracing on.

    It also gives a tracer more time to send its last spans, because the machine may be busy.
    """
    monkeypatch.setattr(tracing, "LAST_S", 60.0)
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each import of a package of OpenTelemetry fail."""
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "web.server.open_telemetry")


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Tracer | None]:
    """Open tracing with these settings, and close it at the end."""
    app = web.Application()
    app[SETTINGS] = parse({"tracing": settings}, "test")
    open_ = tracing.running(app)
    await anext(open_)
    yield app[TRACER]
    with pytest.raises(StopAsyncIteration):
        await anext(open_)


async def test_what_is_not_sent_yet_is_sent_when_the_worker_stops() -> None:
    async with receiver() as received:
        async with running(endpoint=received.endpoint) as tracer:
            assert tracer is not None
            span = tracer.begin("claim")
            assert span is not None
            span.end("done")
        (found,) = received.spans()
    assert (found.name, found.attributes) == ("claim", {RESULT: "done"})


async def test_a_variable_of_open_telemetry_turns_tracing_on_and_names_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as tracer:
        assert tracer is None
    async with receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.endpoint.removesuffix("/v1/traces"))
        monkeypatch.setenv("OTEL_SERVICE_NAME", "east")
        async with running() as tracer:
            assert isinstance(tracer, OpenTelemetry)
            assert tracer.provider.resource.attributes["service.name"] == "east"
            tracer.add("decided", bytes([1] * 24), 1, 2)
        (found,) = received.spans()
    assert (found.trace, found.parent) == ("01" * 16, "01" * 8)


async def test_only_a_share_of_claims_begins_a_trace() -> None:
    tracer = OpenTelemetry(Tracing(endpoint="http://127.0.0.1:9/v1/traces", sample_ratio=1e-18), "w0")
    try:
        assert tracer.begin("claim") is None
    finally:
        tracer.provider.shutdown()


@pytest.mark.usefixtures("not_installed")
async def test_without_the_packages_the_server_starts_and_an_endpoint_is_refused_in_a_sentence(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await open_site()
    assert (await site.person().get("/healthz")).status == 200
    with pytest.raises(ConfigError, match=r"^tracing\.endpoint: .* not installed; .*greenroom\[tracing\]"):
        async with running(endpoint="http://127.0.0.1:4318/v1/traces"):
            pass
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    async with running() as tracer:
        assert tracer is None, "the variable may be meant for other programs"


@pytest.mark.parametrize("wrong", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http://[x"])
def test_an_endpoint_that_is_no_url_of_http_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r'tracing\.endpoint: expected a URL such as "http'):
        parse({"tracing": {"endpoint": wrong}}, "test")
