"""Writes logs as one line per event on standard error, without patient data, tokens or line breaks from outside.

ALLOWED lists the keys whose values may be logged. Of log records of other libraries, only the safe parts are written.
A line is JSON, or text for a terminal. An event's name is a constant text in the code; everything variable is the value
of a key.
"""

import logging
import sys
import traceback
import warnings
from collections.abc import MutableMapping
from functools import partial
from pathlib import PurePath
from types import TracebackType
from typing import Any

import structlog
from aiohttp import abc, web
from aiohttp.hdrs import METH_ALL
from aiohttp.http_exceptions import HttpProcessingError

from web.config import Log
from web.keys import HELD_BACK
from web.metrics.counts import REQUESTS
from web.server.output import Output

ALLOWED = frozenset(
    """
    attempt bytes close_code code connection count duration_ms epoch error event event_type exit_code failures
    fence file folder gap hint host index key kind level library limit line lost method newer operation
    organisation outcome path_template pid port problem reason request role seconds seq signal state status
    stream task timestamp topic total trace transport url version visit what worker
    """.split()
)
"""The keys whose values are logged: numbers, states, ids that the server made. All other values are logged as
"[hidden]"."""

OWN = ("web", "signalling", "media")
PLAIN = ("gunicorn", "aiohttp", "asyncio")
"""Libraries whose message templates are safe to log; for other libraries only the place in the code is logged."""

ACCESS = logging.getLogger("web.access")

Event = MutableMapping[str, Any]
CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def setup(settings: Log) -> None:
    """Send everything that is logged in this process to standard error, with the level and format of `settings`."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    last: Any = _text if text else structlog.processors.JSONRenderer(sort_keys=False)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exceptions,
        _allowed_only,
        _one_line,
    ]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    if not sys.warnoptions:
        # Warnings are off: their texts may contain data from clients, and Python never frees a text that it has shown.
        warnings.simplefilter("ignore")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            pass_foreign_args=True,
            processors=[_foreign, structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    logging.getLogger("aiohttp.server").addFilter(_well_formed)
    if isinstance(sys.stderr, Output):
        sys.stderr.line_of = partial(_lost, [*shared, last])


def _well_formed(record: logging.LogRecord) -> bool:
    """Return whether a record is written to the log.

    Two kinds of aiohttp's records are not written: those about a malformed request, because `AccessLog` logs it,
    and those about a client that disconnected.
    """
    problem = record.exc_info[1] if record.exc_info else None
    return not isinstance(problem, HttpProcessingError | ConnectionResetError)


def _lost(processors: list[Any], count: int) -> str:
    """Return the line that reports that `count` lines could not be written, in the format of `processors`."""
    event: Any = {"event": "logs.lost", "count": count}
    for step in processors:
        event = step(None, "warning", event)
    return f"{event}\n"


def _foreign(_logger: object, _method: str, event: Event) -> Event:
    """Keep only the safe part of another library's log record.

    For a library in PLAIN or OWN, the safe part is the template of the text and the place in the code; for any other
    library, it is only the place in the code. The arguments of the template are removed, unless all are numbers,
    because they may contain anything, such as the path of a request.
    """
    record: logging.LogRecord = event["_record"]
    args = event.pop("positional_args", ())
    library = record.name.partition(".")[0]
    if library in (*PLAIN, *OWN):
        template = str(record.msg).partition("\n")[0]
        numbers = isinstance(args, tuple) and all(isinstance(arg, int | float) for arg in args)
        event["event"] = template % args if numbers and args else template
    else:
        event["event"] = "library.message"
    event.update(library=record.name, file=record.filename, line=record.lineno)
    if record.exc_info:
        event["exc_info"] = record.exc_info
    return event


def _exceptions(_logger: object, _method: str, event: Event) -> Event:
    """Replace an exception in `event` by its type, and by its traceback as names of files and functions.

    The text of the exception is removed, because it may contain words of a patient.
    """
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, BaseException):
        raised = (type(raised), raised, raised.__traceback__)
    if isinstance(raised, tuple) and raised[0] is not None:
        event["error"] = raised[0].__name__
        event["trace"] = _places(raised[2])
    event.pop("stack_info", None)
    return event


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)[-8:]
    return " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)


def _allowed_only(_logger: object, _method: str, event: Event) -> Event:
    for key in event:
        if key not in ALLOWED:
            event[key] = "[hidden]"
    return event


def _one_line(_logger: object, _method: str, event: Event) -> Event:
    for key, value in event.items():
        if not isinstance(value, bool | int | float | None):
            event[key] = str(value).translate(CONTROL)[:1000]
    return event


def _text(_logger: object, _method: str, event: Event) -> str:
    """Return a line for a terminal, such as `12:00:00 info    server.listening  url=http://127.0.0.1:8000`."""
    time, level, name = (str(event.pop(key, "")) for key in ("timestamp", "level", "event"))
    pairs = "".join(f" {key}={_quoted(str(value))}" for key, value in event.items())
    return f"{time[11:19]} {level:<7} {name}{pairs}"


def _quoted(value: str) -> str:
    return value if value and " " not in value and '"' not in value else '"' + value.replace('"', "'") + '"'


class AccessLog(abc.AbstractAccessLogger):
    """Logs one line per HTTP request, at debug level unless the request failed.

    The line has the route's template, never the path, which may contain a token.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log and count one answered request; `time`: how long the answer took, in s."""
        method = request.method if request.method in METH_ALL else "other"
        REQUESTS[method, f"{response.status // 100}xx"] += 1
        found = request.match_info if isinstance(request, web.Request) else None
        if found is not None and found.http_exception is not None and response.status == 400:
            _access.debug("request.malformed", status=response.status)
            return
        # A response that asks a newcomer to wait is no failure. The event `admission.newcomers_wait` reports the number
        # of these responses.
        failed = response.status >= 500 and not (found is not None and request.get(HELD_BACK))
        level = logging.WARNING if failed else logging.DEBUG
        if not ACCESS.isEnabledFor(level):
            # Return before structlog makes a logger for this request, because the level is not logged.
            return
        resource = found.route.resource if found is not None else None
        _access.log(
            level,
            "request.answered",
            method=request.method,
            path_template=resource.canonical if resource else "unknown",
            status=response.status,
            duration_ms=round(time * 1000, 1),
        )

    @property
    def enabled(self) -> bool:
        """True: aiohttp must call `log` for every request, because failures are logged at every level."""
        return True


_access = structlog.get_logger("web.access")
