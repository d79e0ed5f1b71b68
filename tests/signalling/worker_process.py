"""Runs a worker in a process of its own, for tests that kill it: `python -m tests.signalling.worker_process URL INDEX`.

It prints the URL of its WebSocket and its id, and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from signalling.store.redis_connection import SharedRedis
from signalling.worker import Worker
from tests.limits import WAIT_S
from tests.prepared import Forked, prepared
from tests.signalling.clinic import open_worker


class Process:
    """A worker in another process. `url`: the address of its WebSocket. `id`: the worker's id. Both are set when `wait`
    returns.
    """

    def __init__(self, process: Forked, asks: int, answers: asyncio.StreamReader) -> None:
        """Control a process that has been started. `asks`: the descriptor of its standard input. `answers`: its
        standard output.
        """
        self._process, self._asks, self._answers = process, asks, answers
        self.url = self.id = ""

    async def wait(self) -> None:
        """Return as soon as the worker serves. Raises TimeoutError after WAIT_S."""
        async with asyncio.timeout(WAIT_S):
            said = json.loads(await self._answers.readline())
        self.url, self.id = said["url"], said["id"]

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()

    def freeze(self) -> None:
        """Stop the process with SIGSTOP, as if its machine were out of memory or asleep."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the stopped process with SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    async def ask(self) -> dict[str, Any]:
        """Return the worker's present state: `rooms` (visit -> number of its lease), `gates` (visit -> True if media
        may pass), `tasks` (their number).
        """
        os.write(self._asks, b"?\n")
        async with asyncio.timeout(WAIT_S):
            answer: dict[str, Any] = json.loads(await self._answers.readline())
        return answer


@asynccontextmanager
async def worker_process(redis_url: str, index: int = 9) -> AsyncIterator[Process]:
    """Start the worker `index` in another process on the store at `redis_url`; yield it when it serves, and end it
    afterwards.
    """
    command = [sys.executable, "-m", "tests.signalling.worker_process", redis_url, str(index)]
    (asked, asks), (answers, answered) = os.pipe(), os.pipe()
    nothing = os.open(os.devnull, os.O_WRONLY)
    # The first call waits in its thread until the prepared process has imported the product, which may take seconds.
    started = await asyncio.to_thread(lambda: prepared().start(command, (asked, answered, nothing)))
    for descriptor in (asked, answered, nothing):
        os.close(descriptor)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers, "rb")
    )
    try:
        process = Process(started, asks, reader)
        await process.wait()
        yield process
    finally:
        started.kill()
        await asyncio.to_thread(started.wait, WAIT_S)
        transport.close()
        os.close(asks)


def _answer(worker: Worker) -> None:
    """Write the rooms, gates (True if media may pass) and number of tasks as a line of JSON.

    Called for each line of standard input.
    """
    for _ in range(os.read(0, 4096).count(b"\n")):
        rooms = worker.rooms._rooms
        held = {
            "rooms": {visit: room.fence for visit, room in rooms.items()},
            "gates": {visit: room.media.gate for visit, room in rooms.items()},
            "tasks": len(asyncio.all_tasks()),
        }
        print(json.dumps(held), flush=True)


async def main(redis_url: str, index: int) -> None:
    """Run the worker `index` on the store at `redis_url`, and write what tests ask for, until the process is killed."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    redis = SharedRedis.from_url(redis_url, socket_timeout=5)
    async with open_worker(redis, index) as (worker, server):
        print(json.dumps({"url": str(server.make_url("/ws")), "id": worker.id}), flush=True)
        asyncio.get_running_loop().add_reader(0, _answer, worker)
        parent = os.getppid()
        while os.getppid() == parent:  # noqa: ASYNC110 (a parent's end is no event)
            await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
