"""Sends spans with OpenTelemetry's SDK, by OTLP over HTTP. Imported only if tracing is on (`tracing.py`).

A span is one timed step of a trace. The SDK sends from a thread of its own. Its queue has a limit; spans that the
receiver does not accept in time are dropped. The SDK itself reads OpenTelemetry's variables (`OTEL_...`) for headers,
certificates, sampling, and the name of the server.
"""

from __future__ import annotations

import importlib.metadata
import os

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from web.config import Tracing

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
RESULT = "greenroom.result"
"""The name of the only attribute of a span: its value is "done", or the code with which the command was refused."""


class BegunSpan:
    """A span that has begun; implements `signalling.tracing.Span`."""

    __slots__ = ("_span", "context")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = _packed(span)

    def end(self, result: str) -> None:
        """End the span now. `result`: "done", or the code of the refusal."""
        self._span.set_attribute(RESULT, result)
        self._span.end()


class OpenTelemetry:
    """Makes the spans of one worker; implements `signalling.tracing.Tracer`."""

    def __init__(self, settings: Tracing, worker: str) -> None:
        version = importlib.metadata.version("greenroom")
        about = {"service.name": "greenroom", "service.version": version, "service.instance.id": worker}
        ratio = ParentBased(TraceIdRatioBased(settings.sample_ratio))
        self.provider = TracerProvider(
            sampler=None if "OTEL_TRACES_SAMPLER" in os.environ else ratio,
            resource=Resource.create(about).merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.endpoint or None)))
        self._tracer = self.provider.get_tracer("greenroom", version)

    def begin(self, name: str) -> BegunSpan | None:
        """Begin a trace now, and return its first span; None if OpenTelemetry's sampling does not choose this trace."""
        span = self._tracer.start_span(name, Context(), SpanKind.SERVER)
        return BegunSpan(span) if span.is_recording() else None

    def add(self, name: str, parent: bytes, begun_ns: int, ended_ns: int) -> bytes:
        """Add a span that has ended; return its context, which is the argument `parent` of the spans below it.

        `parent`: the context of the span above it; `begun_ns` and `ended_ns`: its times in ns since 1970.
        """
        trace, span_id = int.from_bytes(parent[:16], "big"), int.from_bytes(parent[16:], "big")
        held = NonRecordingSpan(SpanContext(trace, span_id, is_remote=True, trace_flags=SAMPLED))
        span = self._tracer.start_span(name, set_span_in_context(held, Context()), start_time=begun_ns)
        span.end(ended_ns)
        return _packed(span)


def _packed(span: Span) -> bytes:
    context = span.get_span_context()
    return context.trace_id.to_bytes(16, "big") + context.span_id.to_bytes(8, "big")
