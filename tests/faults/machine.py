"""Runs two machines of worker processes on one store, each with its own link to the store that a test can break.

`python -m tests.faults.machine NAME URL` is a machine: it forks workers on command, and ends with its parent.
The workers run the product's code, but people are signed in by a header. Each worker writes its rooms to
standard output at each change and five times a second, so that the history can be checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
SAMPLE_S, BEAT_S = 0.02, 0.2
POLICY = {"grace_ms": 4_000, "return_grace_ms": 8_000, "away_expiry_ms": 12_000, "assignment_ms": 6_000}
"""Limits in ms that are short enough for deadlines to pass in a story, but longer than any single fault."""


class Process:
    """A process of this machine, identified by a descriptor (pidfd), which stays valid after the process has
    ended.

    A process id is not used, because it may then belong to another process.
    """

    def __init__(self, pid: int) -> None:
        """Open a descriptor of the process with the id `pid`. Raises ProcessLookupError if there is none."""
        self._descriptor = os.pidfd_open(pid)
        weakref.finalize(self, os.close, self._descriptor)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; do nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)


class WorkerOf:
    """The process of a worker.

    Its `name`, such as a0.1, is the machine's name, the worker's index, a dot and the number of its start.
    """

    def __init__(self, name: str, process: Process, url: str, worker_id: str) -> None:
        self.name, self.url, self.id = name, url, worker_id
        self.alive = True
        self._process = process

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; do nothing if it has ended."""
        self._process.send(number)

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.alive = False
        self.send(signal.SIGKILL)


class Machine:
    """A machine (group of processes) and its workers, by index. `sampled(worker, at_s, rooms)` is called with each
    sample of a worker.

    `rooms`: visit -> True if the gate of its room is open (media may pass).
    """

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        sampled: Callable[[str, float, dict[str, bool]], None],
    ) -> None:
        self.name = name
        self._process = process
        self._sampled = sampled
        self._numbers: dict[int, int] = {}
        self._starting: dict[str, asyncio.Future[WorkerOf]] = {}
        self.workers: dict[int, WorkerOf] = {}

    async def read(self) -> None:
        """Read the workers' messages until the machine ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "rooms" in said:
                self._sampled(said["worker"], said["at"], said["rooms"])
            else:
                name = said["worker"]
                starting = self._starting.pop(name, None)
                if starting is not None and not starting.done():
                    starting.set_result(WorkerOf(name, Process(said["pid"]), said["url"], said["id"]))

    async def start(self, index: int) -> WorkerOf:
        """Start the worker with this index; return it when it serves. Raises TimeoutError if it does not."""
        number = self._numbers[index] = self._numbers.get(index, 0) + 1
        name = f"{self.name}{index}.{number}"
        started: asyncio.Future[WorkerOf] = asyncio.get_running_loop().create_future()
        self._starting[name] = started
        assert self._process.stdin is not None
        self._process.stdin.write(f"{index} {name}\n".encode())
        async with asyncio.timeout(START_S):
            worker = await started
        self.workers[index] = worker
        return worker


@asynccontextmanager
async def machine(
    name: str, url: str, workers: int, log: Path, sampled: Callable[[str, float, dict[str, bool]], None]
) -> AsyncIterator[Machine]:
    """Run a machine with this number of workers, which log to the file `log`; yield it. All its processes have ended
    afterwards.

    `name`: the name of the machine in the story. `url`: the URL of the store. `sampled(worker, at_s, rooms)` is called
    with each sample of a worker.
    """
    async with AsyncExitStack() as stack:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.machine",
            name,
            url,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("ab")),
        )
        opened = Machine(name, process, sampled)
        reading = asyncio.create_task(opened.read())
        try:
            await asyncio.gather(*(opened.start(index) for index in range(workers)))
            yield opened
        finally:
            for worker in opened.workers.values():
                worker.kill()
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


# --- the code of the machine's process


def main(url: str) -> None:
    """Fork a worker for each line `INDEX NAME` of standard input, until standard input ends. `url`: the URL of the
    store.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # The worker's module is loaded here, before the forks, so that it is loaded only once. It is not loaded at the top
    # of this file, because the process of the test does not need it.
    import tests.faults.worker as worker

    children: list[Process] = []
    for line in sys.stdin:
        index, name = line.split()
        child = os.fork()
        if child == 0:
            worker.run(url, int(index), name)
        children.append(Process(child))
    for started in children:
        started.send(signal.SIGKILL)


def say(**what: Any) -> None:
    """Print one message as a line of JSON, in one write, because several processes write to this standard output."""
    os.write(1, (json.dumps(what) + "\n").encode())


def now_s() -> float:
    """Return the time in s, by the clock that all processes of a test share."""
    return time.time()


if __name__ == "__main__":
    main(sys.argv[2])
