"""Tests logs: which values are logged and which never, and that no input can make a line that looks like an entry."""

import ast
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from web.config import Log
from web.keys import HELD_BACK
from web.server import logs
from web.server.output import Output

ROOT = Path(__file__).resolve().parents[3]
CANARY = "Jane Doe, 555-0100"


METHODS = {"debug", "info", "warning", "error", "exception"}


def logged_in(source: Path) -> Iterator[ast.Call]:
    """Yield each call in a source file that writes to the log, by a method of `log` or `_access`."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "_access"), attr=name)) if (
                name in METHODS
            ):
                yield node


@pytest.mark.parametrize("package", logs.OWN)
def test_what_the_code_logs_is_a_constant_text_and_values_under_allowed_keys(package: str) -> None:
    for source in (ROOT / package).rglob("*.py"):
        for call in logged_in(source):
            where = f"{source.relative_to(ROOT)}:{call.lineno}"
            # Only the file processes.py may log an event whose name is not a constant.
            if source.name != "processes.py":
                assert isinstance(call.args[0], ast.Constant), where
            assert {keyword.arg for keyword in call.keywords} <= logs.ALLOWED | {"exc_info"}, where


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    level = root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that were logged."""
    return capsys.readouterr().err.splitlines()


def test_an_event_is_one_line_of_json_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Log(format="json"))
    structlog.get_logger("web").info("visit claimed", visit="v1", duration_ms=3)
    (line,) = lines(capsys)
    event = json.loads(line)
    assert (event["event"], event["visit"], event["duration_ms"]) == ("visit claimed", "v1", 3)
    assert event["level"] == "info"


def test_an_event_is_one_readable_line_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Log(format="text"))
    structlog.get_logger("web").warning("store gone", seconds=2, reason="no answer")
    (line,) = lines(capsys)
    assert line.endswith('warning store gone seconds=2 reason="no answer"')


def test_a_value_under_a_key_that_is_not_allowed_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Log(format="json"))
    structlog.get_logger("web").info("saved", answers=CANARY, token=CANARY, name=CANARY)
    (line,) = lines(capsys)
    assert CANARY not in line
    assert json.loads(line)["answers"] == "[hidden]"


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_value_can_begin_a_line_of_its_own(capsys: pytest.CaptureFixture[str], form: str) -> None:
    logs.setup(Log(format=form))  # type: ignore[arg-type]
    structlog.get_logger("web").info("refused", reason="a\r\nb\x1b[31m\u2028c\x85d", visit=["x\ny"])
    (line,) = lines(capsys)
    assert line.isprintable()


def test_an_exception_is_logged_by_its_type_and_places_not_by_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.setup(Log(format="json"))
    try:
        int(CANARY)
    except ValueError as error:
        structlog.get_logger("web").exception("failed")
        structlog.get_logger("web").error("failed", exc_info=error)
        logging.getLogger("aiohttp.server").exception("Error handling request from %s", CANARY)
    for line in lines(capsys):
        event = json.loads(line)
        assert event["error"] == "ValueError"
        assert "test_logs.py" in event["trace"]
        assert CANARY not in line


def test_a_librarys_log_record_is_reduced_to_its_harmless_parts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.setup(Log(format="json", level="debug"))
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %s" % CANARY)  # noqa: UP031
    logging.getLogger("gunicorn.error").error("Worker (pid:%s) exited with code %s.", 12, 3)
    logging.getLogger("aioice.ice").warning(f"{CANARY} failed")
    logging.getLogger("aiohttp.web").info("not serious enough")
    events = [json.loads(line) for line in lines(capsys)]
    assert [event["event"] for event in events] == [
        "Task exception was never retrieved",
        "Worker (pid:12) exited with code 3.",
        "library.message",
    ]
    assert events[2]["library"] == "aioice.ice"


def test_events_below_the_log_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Log(format="json", level="warning"))
    structlog.get_logger("web").info("quiet")
    assert lines(capsys) == []
    # shows that standard error was captured the whole time
    assert sys.stderr is not sys.__stderr__


@pytest.mark.parametrize("form", ["json", "text"])
def test_r29_lost_lines_are_reported_by_their_own_event(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    monkeypatch.setattr(sys, "stderr", output := Output(writer))
    logs.setup(Log(format=form))  # type: ignore[arg-type]
    for _ in range(1000):
        structlog.get_logger("web").info("visit claimed", visit="v1")
        logging.getLogger("aiohttp.server").error("Unhandled exception")
    missed = output.lost
    assert missed > 100
    os.read(reader, 1 << 20)
    output.retry()
    told = os.read(reader, 1 << 20).decode().splitlines()[-1]
    assert "logs.lost" in told
    assert str(missed) in told
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("held_back", [False, True])
def test_a_failed_request_is_logged_but_not_each_newcomer_who_is_asked_to_wait(
    capsys: pytest.CaptureFixture[str], held_back: bool
) -> None:
    logs.setup(Log(level="info", format="json"))
    request = make_mocked_request("GET", "/demo")
    request[HELD_BACK] = held_back
    logs.AccessLog(logging.getLogger("web.access"), "").log(request, web.Response(status=503), 0.1)
    found = [json.loads(line)["event"] for line in lines(capsys)]
    assert found == ([] if held_back else ["request.answered"])
