"""Starts tracing if the settings ask for it. OpenTelemetry's packages are optional, and imported only in this case.

`open_telemetry.py` is the only module that imports them; `signalling/tracing.py` defines what is traced.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from threading import Thread

from aiohttp import web

from web.errors import ConfigError
from web.keys import SETTINGS, TRACER, WORKER

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own variables for the address to which traces are sent."""
NOT_INSTALLED = (
    'tracing.endpoint: expected "", as the packages for tracing are not installed; to install them: '
    'pip install "greenroom[tracing]"'
)
LAST_S = 2.0
"""The longest time in s for sending the last spans when the worker stops."""


async def running(app: web.Application) -> AsyncIterator[None]:
    """Make spans (timed steps of a trace) from the start of the app to its end.

    Raises ConfigError if the settings ask for tracing, but OpenTelemetry's packages are missing.
    """
    settings, process = app[SETTINGS].tracing, app.get(WORKER)
    app[TRACER] = None
    if not settings.endpoint and not any(map(os.environ.get, ENDPOINTS)):
        yield
        return
    try:
        from web.server.open_telemetry import OpenTelemetry
    except ImportError:
        if settings.endpoint:
            raise ConfigError(NOT_INSTALLED) from None
        # The packages are missing, so nothing is traced. This is no error: only the variables `OTEL_...` ask for
        # tracing, and they may be meant for other programs.
        yield
        return
    app[TRACER] = tracer = OpenTelemetry(settings, "" if process is None else process.id)
    yield
    # This thread sends the last spans, which may take half a minute. It is a daemon thread, so the process can end
    # before.
    last = Thread(target=tracer.provider.shutdown, daemon=True)
    last.start()
    await asyncio.to_thread(last.join, LAST_S)
