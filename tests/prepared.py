"""Starts Greenroom's programs quickly: a prepared process has imported their modules, and forks once for each
program.

Python needs more than a second of CPU to import what a server uses, and as much to read the languages, compile the
templates and compress the scripts. Programs share only this work, and use quick password hashes. Each has its
own process, session, environment and files. Tests of the start itself do not use the prepared process.
`python -m tests.prepared DESCRIPTOR` is the prepared process.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

ROOT = Path(__file__).resolve().parents[1]
GREENROOM = str(Path(sys.executable).with_name("greenroom"))
IMPORTED = ("web.server.processes", "web.commands.main", "web.commands.welcome", "web.app")
"""The modules that a server imports, in its master process and in its workers."""
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes passwords quickly, for all tests whose subject is not the strength of hashes. Sites in the test's process use
it as well.
"""
REQUEST_BYTES = 131_072
STREAMS = 3
"""The number of standard streams: input, output and error."""


class Forked:
    """A running program, with those methods of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int, ended: int) -> None:
        """Take a started program with this process id.

        `ended`: the pipe in which its exit code arrives; if the prepared process ends, the pipe closes without an exit
        code.
        """
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Return the exit code, or None while the program runs."""
        return self._read(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when the program has ended. Raises `subprocess.TimeoutExpired` after `timeout` s."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the program if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the program to end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the program (SIGKILL)."""
        self.send_signal(signal.SIGKILL)

    def _read(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
            self.returncode = int(os.read(self._ended, 16) or b"-9")
            os.close(self._ended)
        return self.returncode


class Prepared:
    """A process that has imported everything a server uses, and forks for each call of `start`."""

    def __init__(self) -> None:
        """Start the prepared process, which imports the modules of a server while the caller continues."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, command: Sequence[str], streams: Sequence[int]) -> Forked:
        """Run a command in a new session; return the program.

        `command`: the console script of Greenroom, or this Python with `-m` and a module. `streams`: the descriptors of
        its standard input, output and error.
        """
        assert command[0] == GREENROOM or command[:2] == [sys.executable, "-m"], command
        ended, end = os.pipe()
        request = json.dumps({"command": list(command), "environment": dict(os.environ)})
        try:
            socket.send_fds(self._socket, [request.encode()], [*streams, end])
        finally:
            os.close(end)
        return Forked(int(self._socket.recv(16)), ended)


@functools.cache
def prepared() -> Prepared:
    """Return the prepared process of this process; start it at the first call.

    The prepared process ends with this process. It stays in the network namespace in which it was started. A
    server in another namespace must be started without the prepared process.
    """
    return Prepared()


# --- the code that runs in the process that has imported the modules and forks for each program


def _next(
    requests: socket.socket, woken: int, ends: dict[int, int]
) -> tuple[dict[str, Any], list[int]] | None:
    """Return (the next request, its descriptors), or None after the last request.

    While waiting, report the exit codes of programs that end. `woken`: a descriptor that becomes readable
    when a program ends. `ends`: process id -> the pipe for its exit code.
    """
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report(ends)
        if requests.fileno() in ready:
            data, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, STREAMS + 1)
            return (json.loads(data), descriptors) if data else None


def _report(ends: dict[int, int]) -> None:
    """Write the exit code of each program that has ended to its pipe, and close the pipe."""
    while ends:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        end = ends.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # the test may have ended without waiting for its server
            os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(end)


def _become(requests: socket.socket, descriptors: list[int], environment: dict[str, str]) -> None:
    """Give the forked process its own session, signals, streams, environment and random numbers, as if it had been
    started.

    `requests`: the socket of the prepared process, which is closed here. `descriptors`: the forked process's
    standard streams, and the pipe for its exit code.
    """
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    requests.close()
    for number, descriptor in enumerate(descriptors):
        if number < STREAMS:
            os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()


def _serve(requests: socket.socket) -> list[str]:
    """Fork for each request. Return [] in the prepared process when requests end, and in a fork the command to run."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    ends: dict[int, int] = {}
    while request := _next(requests, woken, ends):
        asked, descriptors = request
        pid = os.fork()
        if pid == 0:
            for descriptor in (woken, wake, *ends.values()):
                os.close(descriptor)
            _become(requests, descriptors, asked["environment"])
            command: list[str] = asked["command"]
            return command
        requests.send(str(pid).encode())
        for descriptor in descriptors[:STREAMS]:
            os.close(descriptor)
        ends[pid] = descriptors[STREAMS]
    return []


async def _load_pages() -> None:
    """Load what a server keeps of its pages after their first use: languages, templates, compressed scripts."""
    from web.languages import i18n
    from web.pages import rendering, static_files

    i18n.languages()
    for template in rendering.TEMPLATES.glob("*.html"):
        rendering.environment().get_template(template.name)
    for path in static_files.JOINED.rglob("*.*s"):
        await static_files._file(path.relative_to(static_files.JOINED).as_posix()).body("br")


def _import() -> None:
    """Import all that servers need, and make password hashes quick."""
    for module in IMPORTED:
        importlib.import_module(module)
    asyncio.run(_load_pages())
    from web.identity import accounts

    # The first start makes eight accounts, and normal password hashes would need most of the time of a start.
    accounts.HASHER = CHEAP_HASHER
    gc.collect()
    # All forks share the memory of the present objects, because the garbage collector no longer writes to them.
    gc.freeze()


def main(descriptor: int) -> None:
    """Import the modules, and fork for each request; in a fork, run the command.

    `descriptor`: the socket on which requests arrive.
    """
    _import()
    command = _serve(socket.socket(fileno=descriptor))
    if not command:
        return
    if command[0] == GREENROOM:
        from web.commands.main import main as run

        sys.argv = command
        run()
    else:
        sys.argv = command[2:]
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
