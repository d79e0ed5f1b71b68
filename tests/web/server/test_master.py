"""Tests that a running server continues with other code, in the same process, on the same port and store.

Its workers are replaced one by one.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
import redis

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.web.server.test_processes import TINY, alive, both, store_pid, until
from web.server.handover import LAST, FormerWorker, Request, Steps
from web.server.master import Master

SECOND = [sys.executable, "-c", "from tests.web import tiny; tiny.MARK = 'second'; tiny.main()"]


def asked(server: RunningServer, program: list[str]) -> list[dict[str, Any]]:
    """Ask the server to continue with another program, as `greenroom upgrade` does.

    Return the reported steps, as soon as the last step is reported.
    """
    steps = Steps(server.data)
    steps.ask(Request(program))
    server.process.send_signal(signal.SIGUSR2)
    until(lambda: (found := steps.read()) and found[-1]["step"] in LAST, WAIT_S)
    return steps.read()


@contextmanager
def visited(server: RunningServer) -> Iterator[list[str]]:
    """Connect to the server repeatedly while the `with` block runs; yield the errors of failed connections."""
    address, stop = urlsplit(server.url), threading.Event()
    refused: list[str] = []

    def run() -> None:
        while not stop.wait(0.02):
            try:
                socket.create_connection((str(address.hostname), int(address.port or 0)), WAIT_S).close()
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
        until(
            lambda: [step["step"] for step in Steps(server.data).read()].count("worker_failed") > 1,
            WAIT_S,
        )
        back = asked(server, TINY)
        assert [step["step"] for step in back] == ["trying", "taken_over", "serves", "serves", "done"]
        first = both(server)
        assert {worker["mark"] for worker in first.values()} == {"first"}, "it leads back"
        (server.data / "late").unlink()
        steps = asked(server, SECOND)
        replaced = [step["instead_of"] for step in steps if step["step"] == "serves"]
        assert replaced == back[-1]["workers"], "the oldest first"
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
    """Return the process id of the store; None while the store does not answer."""
    try:
        return store_pid(server)
    except (OSError, redis.RedisError):
        return None


def master(folder: Path, workers: int, **values: Any) -> Master:
    """Return a master that has not started; it shall run this number of workers.

    `values`: other attributes of the master.
    """
    found = Master.__new__(Master)
    found.is_trial, found.pid, found.SIG_QUEUE = False, 1, SimpleQueue()
    found.workers, found._trial, found._next, found._leaving, found._failed = {}, None, [], set(), False
    found._notify, found._steps, found._store = Mock(), Steps(folder), None
    for name, value in {"_num_workers": workers, "_stats": {"workers_killed": 0}, **values}.items():
        setattr(found, name, value)
    return found


def former(count: int) -> list[FormerWorker]:
    return [FormerWorker(pid, pid - 1, f"w{pid - 1}-a", pid, -1) for pid in range(1, count + 1)]


@pytest.mark.parametrize(
    ("workers", "before", "most"), [(2, 0, 2), (2, 2, 2), (2, 3, 3), (2, 4, 3), (1, 2, 1), (4, 2, 4)]
)
def test_r36_workers_before_and_after_have_at_most_two_indexes_for_each_that_is_to_run(
    tmp_path: Path, workers: int, before: int, most: int
) -> None:
    found = master(tmp_path, workers)
    found._take_over(former(before))
    assert found._most == most
    assert found.worker_age == max(workers, before)


def test_r36_a_master_with_a_signal_in_its_queue_or_without_its_store_does_not_become_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become: list[str] = []
    monkeypatch.setattr(os, "execve", lambda program, *_: become.append(program))
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *_: set())
    handover = Mock(descriptors=[], store=None)
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    found = master(tmp_path, 1, _handover=lambda trial: handover, _next=["/next"])
    found.workers.update({5: Mock(answers=False), 6: Mock(answers=True)})
    found.SIG_QUEUE.put_nowait(signal.SIGCHLD)
    found._become(found._next)
    assert (become, found._next, killed) == ([], ["/next"], []), "it tries again"
    found.SIG_QUEUE.get()
    found._become(found._next)
    assert become == ["/next"]
    assert killed == [5], "the worker that is not ready yet"
    found._store = Mock()
    found._become(found._next)
    assert (become, found._next) == (["/next"], [])
    assert found._steps.read()[-1]["step"] == "refused"


def test_r36_a_request_is_refused_while_workers_are_replaced_unless_a_new_one_fails(tmp_path: Path) -> None:
    handover = Mock(descriptors=[], environment=dict)
    found = master(tmp_path, 1, _handover=lambda trial: handover)
    found.workers.update(enumerate(former(1)))
    found._replace_all()
    for failed, problem in (
        (False, "workers are being replaced"),
        (True, "/nowhere/greenroom cannot be run"),
    ):
        found._failed = failed
        found._steps.ask(Request(["/nowhere/greenroom"]))
        found.handle_usr2()
        assert found._steps.read()[-1]["problem"].startswith(problem)


def test_r36_a_request_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    found = master(tmp_path, 1)
    found._steps.path.write_bytes(b"{")
    found.handle_usr2()
    assert [step["step"] for step in found._steps.read()] == ["trying", "refused"]


def test_r36_a_server_that_stops_ends_a_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Master.__mro__[1], "stop", lambda *_: None)
    trial = Mock()
    master(tmp_path, 1, _trial=(trial, Request([]))).stop()
    trial.kill.assert_called_once_with()


def test_r36_the_children_that_ended_before_signals_are_handled_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Master.__mro__[1], "init_signals", lambda _: None)
    found = master(tmp_path, 1)
    found.init_signals()
    assert found.SIG_QUEUE.get(block=False) == signal.SIGCHLD
