"""Ends child processes. They may have been started before this process replaced its program by execve.

`udp_ports` returns the ports of the UDP sockets of any process on this machine. A worker has such a socket for media.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

LOOK_S = 0.02


class Child:
    """A child process that this process started before an execve, with some methods of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the child's exit code; None while the child runs.

        Return 0 if the code is not known, because another part of this process has already waited for the
        child.
        """
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        """Wait until the process has ended, and return its exit code. Raises `subprocess.TimeoutExpired` after
        `timeout` s.
        """
        end_s = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end_s:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(LOOK_S)
        return code

    def terminate(self) -> None:
        """Send SIGTERM to the child process, so that it stops."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the child process, which ends it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Make SIGTERM raise SystemExit inside this context, as Ctrl-C raises KeyboardInterrupt.

    So contexts inside this context can end the processes that they have started; a second SIGTERM or SIGINT is ignored
    meanwhile. In another thread than the main thread, this context does nothing, because only the main thread may set
    signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)


def end(process: "subprocess.Popen[Any] | Child", within_s: float) -> None:
    """Send SIGTERM to the process; kill it if it still runs after `within_s` seconds."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(within_s)


def udp_ports(pid: int) -> set[int]:
    """Return the ports of a process's open UDP sockets; an empty set if the process has ended."""
    ports: dict[str, int] = {}
    for table in ("udp", "udp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                ports[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    found: set[int] = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError, KeyError):
                found.add(ports[str(descriptor.readlink()).removeprefix("socket:[").rstrip("]")])
    return found
