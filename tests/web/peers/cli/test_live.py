"""Tests the display on the terminal during a run, and the lines of text that replace it if there is no terminal."""

from __future__ import annotations

import io
import re
import threading
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.limits import WAIT_S
from tests.web.peers.runs import run
from web.peers.cli.live import Live
from web.peers.run.observations import Observations


def console(terminal: bool) -> tuple[Console, io.StringIO]:
    """Return (a console, the text that is written to it). `terminal`: whether the console is a terminal."""
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=100, height=40), written


def test_without_a_terminal_a_line_is_printed_now_and_then() -> None:
    shown, written = console(terminal=False)
    seen = run(patients=100)
    with Live(seen, SimpleNamespace(patients=100), console=shown, every_s=0.01):
        deadline = time.monotonic() + WAIT_S
        while written.getvalue().count("\n") < 3:
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)
    lines = written.getvalue().splitlines()
    assert re.match(
        r"\d+ s: 100 of 100 arrived, \d+ waiting, \d+ in call, 97 done, [\d.]+/s; queue_seen p50", lines[-1]
    )
    assert lines[-1].endswith("errors: 3 × too_late")
    assert "\x1b" not in written.getvalue()


def test_the_terminal_shows_where_the_patients_are_and_what_went_wrong() -> None:
    shown, written = console(terminal=True)
    seen = run(patients=100)
    with Live(seen, SimpleNamespace(patients=100), console=shown) as live:
        shown.print(live.picture())
    said = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", written.getvalue())
    assert re.search(r"arrived .*100/100", said)
    assert re.search(r"done .*97/100", said)
    assert re.search(r"pulled in +100 +[\d.]+ ms +[\d.]+ ms", said)
    assert "3 × too_late  claim: no answer within 30 s" in said


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_that_fails_ends_its_live_view(terminal: bool) -> None:
    shown, _ = console(terminal)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), Live(Observations(), SimpleNamespace(patients=0), console=shown):
        raise KeyboardInterrupt
    deadline = time.monotonic() + WAIT_S
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_the_live_view_can_be_looked_at_while_another_thread_writes() -> None:
    shown, _ = console(terminal=True)
    seen, ended = Observations(), threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            seen.step(f"step_{number % 500}", 0.1)
            seen.error(f"code {number % 150}", "example")
            seen.gauge("waiting", number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        live = Live(seen, SimpleNamespace(patients=10), console=shown)
        for _ in range(5):
            live.picture()
            live.line()
            seen.news()
    finally:
        ended.set()
        writer.join()
