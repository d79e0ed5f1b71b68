"""Tests that a running server goes on with other code: the same process, port and store, and workers one by one."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis

from tests.conftest import StartServer
from tests.server import RunningServer
from tests.web.server.test_processes import TINY, alive, both, store_pid, until
from web.server.handover import LAST, Request, Steps

SECOND = [sys.executable, "-c", "from tests.web import tiny; tiny.MARK = 'second'; tiny.main()"]
PATIENCE_S = 60.0


def asked(server: RunningServer, program: list[str]) -> list[dict[str, Any]]:
    """Ask the server to take a program, as `greenroom upgrade` does; return the steps when the last one is reported."""
    steps = Steps(server.data)
    steps.ask(Request(program))
    server.process.send_signal(signal.SIGUSR2)
    until(lambda: (found := steps.read()) and found[-1]["step"] in LAST, PATIENCE_S)
    return steps.read()


@contextmanager
def visited(server: RunningServer) -> Iterator[list[str]]:
    """Connect again and again until the block ends; yield the list of refusals."""
    address, stop = urlsplit(server.url), threading.Event()
    refused: list[str] = []

    def run() -> None:
        while not stop.wait(0.02):
            try:
                socket.create_connection((str(address.hostname), int(address.port or 0)), PATIENCE_S).close()
            except OSError as error:
                refused.append(repr(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield refused
    finally:
        stop.set()
        thread.join()


def test_r36_a_server_goes_on_with_other_code_or_stays_as_it_is(start_server: StartServer) -> None:
    server = start_server({"server": {"workers": 2}}, command=TINY).wait()
    first, store = both(server), store_pid(server)
    with visited(server) as refused:
        (server.data / "refuse").touch()
        problem = asked(server, SECOND)[-1]
        assert problem["step"] == "refused"
        assert problem["problem"] == "media.ports: no port is free"
        (server.data / "refuse").unlink()
        assert asked(server, ["/nowhere/greenroom"])[-1]["step"] == "refused"
        assert both(server).keys() == first.keys(), "nothing has changed yet"

        (server.data / "late").touch()
        failed = asked(server, SECOND)
        assert [step["step"] for step in failed] == ["trying", "taken_over", "worker_failed"]
        assert both(server).keys() == first.keys(), "the workers of the first code serve"
        (server.data / "late").unlink()
        steps = until(
            lambda: (found := Steps(server.data).read())[-1]["step"] == "done" and found, PATIENCE_S
        )
        assert [step["instead_of"] for step in steps if step["step"] == "serves"] == [
            worker["id"] for worker in sorted(first.values(), key=lambda worker: worker["index"])
        ]
        second = both(server)
        assert {worker["mark"] for worker in second.values()} == {"second"}
        assert {worker["id"] for worker in second.values()} == set(steps[-1]["workers"])
        assert store_pid(server) == store
    assert not refused
    assert not server.process.poll(), "it is the same process"
    os.kill(store, signal.SIGKILL)
    again = until(lambda: (found := store_pid_now(server)) != store and found)
    assert server.stop() == 0
    assert not [pid for pid in (*second, again) if alive(pid)]


def store_pid_now(server: RunningServer) -> int | None:
    """Return the process id of the store; None while it does not answer."""
    try:
        return store_pid(server)
    except (OSError, redis.RedisError):
        return None
