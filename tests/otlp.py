"""Receives traces in this process: OTLP over HTTP, as a collector of OpenTelemetry does. It contains no test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received(NamedTuple):
    """A received span (timed part of a trace).

    `worker`: the server that sent it. `parent`: the id of its parent, "" for the first span.
    """

    trace: str
    id: str
    parent: str
    name: str
    worker: str
    begun_ns: int
    ended_ns: int
    attributes: dict[str, str]


class Receiver:
    """Keeps the traces that it receives: `bodies` are the bodies of the requests, in order."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.endpoint = ""

    async def receive(self, request: web.Request) -> web.Response:
        """Answer the request POST /v1/traces, and add its body to `bodies`."""
        self.bodies.append(await request.read())
        return web.Response()

    def spans(self) -> Iterator[Received]:
        """Yield all received spans."""
        for body in self.bodies:
            for server in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {pair.key: pair.value.string_value for pair in server.resource.attributes}
                for scope in server.scope_spans:
                    for span in scope.spans:
                        yield Received(
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.name,
                            about["service.instance.id"],
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            {pair.key: pair.value.string_value for pair in span.attributes},
                        )


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Open a receiver of traces; yield it. Its `endpoint` is its address."""
    kept = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", kept.receive)
    async with TestServer(app) as server:
        kept.endpoint = str(server.make_url("/v1/traces"))
        yield kept
