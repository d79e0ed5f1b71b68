"""Measures the server's CPU time and memory during a run, if this machine can read them; and describes the machine.

This module reads /proc for a process and all its descendants, and counts the store separately. Its functions
return None if there is no /proc or no such process.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from web.peers.run.observations import Observations

PROC = Path("/proc")
STORES = ("valkey", "redis")
PACKAGES = ("greenroom", "aiohttp", "uvloop", "msgspec", "aiortc", "pylibsrtp")


class Use(NamedTuple):
    """What a group of processes uses: their CPU time in s since they began, and their resident memory in bytes."""

    cpu_s: float
    rss: int


class Sample(NamedTuple):
    """The CPU time and memory of the server without its store, and those of its store (None if there is none)."""

    server: Use
    store: Use | None


def sample(*pids: int) -> Sample | None:
    """Return the CPU time and memory of the processes `pids` and all their descendants; None if none can be read."""
    server, store = Use(0.0, 0), None
    seen = False
    for each in processes(*pids):
        used = _use(each)
        if used is None:
            continue
        name, use = used
        seen = True
        if name.startswith(STORES):
            store = _add(store or Use(0.0, 0), use)
        else:
            server = _add(server, use)
    return Sample(server, store) if seen else None


def processes(*pids: int) -> set[int]:
    """Return the ids of the processes `pids` and of all their descendants."""
    return {each for pid in pids for each in _tree(pid)}


def is_store(pid: int) -> bool:
    """Return whether a process is the store: a Valkey or a Redis."""
    try:
        return (PROC / str(pid) / "comm").read_text("utf-8", "replace").startswith(STORES)
    except OSError:
        return False


class Watch:
    """Records gauges of the server at each `tick`: the cores that were busy since the previous `tick`, and its memory.

    The CPU of this process is recorded too: if this process is overloaded, it measures its own delays instead of the
    server's. `machine`: True to record the CPU of the whole machine as well; only one process of a run does this.
    """

    def __init__(self, observations: Observations, *pids: int, machine: bool = False) -> None:
        self._seen, self._pids = observations, pids
        self._busy = busy_s() if machine else None
        self._at = observations.now_s
        self._own = _own_cpu_s()
        self._last = sample(*pids)

    def tick(self) -> None:
        """Measure the CPU time since the previous call, and the present memory; record both as gauges.

        A process that cannot be read is left out.
        """
        now, own = self._seen.now_s, _own_cpu_s()
        took_s = now - self._at
        if took_s <= 0:
            return
        self._seen.gauge("driver_cpu", (own - self._own) / took_s)
        busy = None if self._busy is None else busy_s()
        if busy is not None and self._busy is not None:
            self._seen.gauge("machine_cpu", max(0.0, busy - self._busy) / took_s)
            self._busy = busy
        found = sample(*self._pids)
        for name in ("server", "store"):
            use: Use | None = getattr(found, name, None)
            before: Use | None = getattr(self._last, name, None)
            if use is None or before is None:
                continue
            # The result is at least 0: the new sum may be smaller, because it lacks the CPU time of a worker that has
            # ended.
            self._seen.gauge(f"{name}_cpu", max(0.0, use.cpu_s - before.cpu_s) / took_s)
            self._seen.gauge(f"{name}_rss", use.rss)
        self._at, self._own, self._last = now, own, found


def machine() -> dict[str, str]:
    """Return a description of this machine: CPU, cores and system."""
    return {
        "CPU": cpu_name(),
        "cores": str(os.cpu_count() or 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the load tester uses."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """Return the name of this machine's CPU."""
    try:
        lines = (PROC / "cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(names, platform.machine())


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def busy_s() -> float | None:
    """Return the time in s for which this machine's cores have been busy since it started, added over all cores.

    A core that is idle or waits for a disk is not busy. The source is /proc/stat (proc(5)); None if it cannot be read.
    """
    try:
        fields = [int(field) for field in (PROC / "stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(fields) - sum(fields[3:5])) / os.sysconf("SC_CLK_TCK")


def _add(one: Use, other: Use) -> Use:
    return Use(one.cpu_s + other.cpu_s, one.rss + other.rss)


def _tree(pid: int) -> Iterator[int]:
    """Yield a process id and those of all its descendants."""
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        yield each
        try:
            threads = list((PROC / str(each) / "task").iterdir())
            waiting += [
                int(child) for thread in threads for child in (thread / "children").read_text().split()
            ]
        except OSError:
            continue


def _use(pid: int) -> tuple[str, Use] | None:
    """Return a process's name, and its CPU time and memory (`Use`); None if the process is gone.

    The source is /proc/pid/stat (proc(5)), fields 14, 15 and 24.
    """
    try:
        name, _, rest = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")
        fields = rest.split()
        ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    except (OSError, IndexError, ValueError):
        return None
    cpu_s = ticks / os.sysconf("SC_CLK_TCK")
    return name.partition("(")[2], Use(cpu_s, pages * os.sysconf("SC_PAGE_SIZE"))
