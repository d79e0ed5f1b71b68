"""Ends a process that this one has started, also one that an earlier program of this process has started.

`has_udp` says of any process on this machine whether it has a UDP socket, as a worker has for the media.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK_S = 0.02


class Child:
    """A child process that an earlier program of this process has started, with some methods of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code; None while the process runs, 0 if another part of this process has taken the code."""
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        """Return the exit code when the process has ended. Raises `subprocess.TimeoutExpired` after `timeout` s."""
        end_s = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end_s:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(LOOK_S)
        return code

    def terminate(self) -> None:
        """Ask the process to stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def end(process: "subprocess.Popen[Any] | Child", within_s: float) -> None:
    """Ask the process to stop; kill it if it still runs after `within_s` seconds."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(within_s)


def has_udp(pid: int) -> bool:
    """Return whether a process has an open UDP socket."""
    with suppress(OSError):
        udp = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
        udp |= {line.split()[9] for line in Path("/proc/net/udp6").read_text().splitlines()[1:]}
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()).removeprefix("socket:[").rstrip("]") in udp:
                    return True
    return False
