"""Reads the CPU and memory of processes from the kernel, and runs functions in child processes.

It works on Linux only.
"""

import multiprocessing
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PROC = Path("/proc")
PACKAGES = ("aiohttp", "uvloop", "redis", "hiredis", "msgspec", "gunicorn", "pylibsrtp")


def cpu_ns(pids: Iterable[int]) -> int:
    """Return the CPU time of all threads of these processes since they began, in ns (first field of schedstat)."""
    total = 0
    for pid in pids:
        for thread in (PROC / str(pid) / "task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    return total


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the memory in RAM of these processes in bytes; shared memory counts once."""
    return sum(
        int(line.split()[1]) * 1024
        for pid in pids
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        if line.startswith("Rss:")
    )


def versions() -> dict[str, str]:
    """Return name -> value for the properties of the machine, and for the versions that belong to a measurement."""
    return {"Python": platform.python_version(), **versions_of(*PACKAGES)}


def versions_of(*packages: str) -> dict[str, str]:
    """Return package -> its installed version."""
    return {name: version(name) for name in packages}


class ChildError(Exception):
    """A child process failed. The error's text is the last line of the child's own error, or says what
    else happened.
    """


class Child:
    """Runs a function in a child process.

    The function's first argument is `tell`, by which it reports the share done (0.0 to 1.0) to this process.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(theirs, function, args), daemon=True)
        self._process.start()
        theirs.close()

    def result(self, timeout_s: float, progress: Callable[[float], None] = lambda _: None) -> Any:
        """Wait for the function's end; return its result.

        `progress`: called with the share done (0.0 to 1.0). Raises ChildError if the function raised, if the process
        died, or after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        try:
            while (left := deadline - time.monotonic()) > 0:
                if self._pipe.poll(min(left, 1.0)):
                    kind, value = self._pipe.recv()
                    if kind == "result":
                        return value
                    if kind == "failed":
                        raise ChildError(value)
                    progress(value)
        except EOFError:
            raise ChildError("the load generator died") from None
        finally:
            self.stop()
        raise ChildError(f"no result after {timeout_s:.0f} s")

    def wait_for(self, fraction: float, timeout_s: float) -> None:
        """Wait until the function has reported that at least the share `fraction` (0.0 to 1.0) is done.

        Raises ChildError if the child fails or dies, or after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._pipe.poll(left):
                    kind, value = self._pipe.recv()
                    if kind == "failed":
                        raise ChildError(value)
                    if kind == "progress" and value >= fraction:
                        return
            except EOFError:
                raise ChildError("the load generator died") from None
        raise ChildError(f"not ready after {timeout_s:.0f} s")

    def stop(self) -> None:
        """End the child process if it still runs."""
        self._process.terminate()
        self._process.join(5)
        self._pipe.close()


def _work(pipe: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        pipe.send(("result", function(lambda fraction: pipe.send(("progress", fraction)), *args)))
    except Exception as problem:  # noqa: BLE001 - whatever it is, the parent says it
        pipe.send(("failed", f"{type(problem).__name__}: {problem}"))
