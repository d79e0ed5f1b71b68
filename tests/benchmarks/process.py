"""Reads the CPU and memory of processes from the kernel, and runs functions in child processes.

This module works on Linux only.
"""

import ctypes
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36
INIT = 1
KERNEL = "kthreadd"
"""The name of the process that is the parent of the kernel's threads. In a container it is not visible."""
PACKAGES = ("aiohttp", "uvloop", "redis", "hiredis", "msgspec", "gunicorn", "pylibsrtp")


def cpu_ns(pids: Iterable[int]) -> int:
    """Return the CPU time of all threads of these processes since the threads began, in ns.

    The time is the first field of schedstat. `pids`: process ids.
    """
    total = 0
    for pid in pids:
        for thread in (PROC / str(pid) / "task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    return total


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the sum of the memory in RAM of these processes (Rss), in bytes.

    Memory that several of them share counts for each of them.
    """
    return sum(
        int(line.split()[1]) * 1024
        for pid in pids
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        if line.startswith("Rss:")
    )


def adopt_orphans() -> None:
    """Make this process the parent of those descendants whose own parent ends (prctl(2), PR_SET_CHILD_SUBREAPER).

    Some descendants end later than their own parent, such as Chromium and the workers of a killed server.
    Without this function, init would become their parent, and `others_s` would count them as other programs.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def others_s() -> float:
    """Return the CPU time in s of all processes except this one, its descendants and the kernel's threads, since boot.

    The CPU time of a process that has ended is part of the time of the parent that waited for it (proc(5),
    cutime).
    """
    stats = []
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                stats.append((folder / "stat").read_text("utf-8", "replace"))
    return others_ticks(stats, os.getpid()) / os.sysconf("SC_CLK_TCK")


def others_ticks(stats: Iterable[str], own: int) -> int:
    """Return the sum of CPU time of all processes except `own`, its descendants and the kernel's threads.

    `stats`: the content of /proc/PID/stat of each process. `own`: a process id. The result is in clock ticks,
    the unit of these files. The time of the ended children of init does not count, because they may be
    descendants of `own`.
    """
    parents, used, out = {}, {}, {own}
    for stat in stats:
        head, _, tail = stat.rpartition(")")
        number, name = head.split(" (", 1)
        pid, fields = int(number), tail.split()
        if name == KERNEL:
            out.add(pid)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(ticks) for ticks in fields[11 : 13 if pid == INIT else 15])

    def line(pid: int) -> Iterator[int]:
        while pid in parents:
            yield pid
            pid = parents[pid]

    return sum(ticks for pid, ticks in used.items() if out.isdisjoint(line(pid)))


def versions() -> dict[str, str]:
    """Return name -> version, for Python and the packages that influence a measurement."""
    return {"Python": platform.python_version(), **versions_of(*PACKAGES)}


def versions_of(*packages: str) -> dict[str, str]:
    """Return package -> its installed version."""
    return {name: version(name) for name in packages}


class ChildError(Exception):
    """A child process failed. The error's text is the last line of the child's own error, or describes what
    else happened, such as a time-out.
    """


class Child:
    """Runs a function in a child process.

    The function's first argument is `tell`, by which it reports its progress (0.0 to 1.0) to this process.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(theirs, function, args), daemon=True)
        self._process.start()
        theirs.close()

    def result(self, timeout_s: float, progress: Callable[[float], None] = lambda _: None) -> Any:
        """Wait for the function's end; return its result.

        `progress`: called with the progress (0.0 to 1.0). Raises ChildError if the function raised, if the process
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
