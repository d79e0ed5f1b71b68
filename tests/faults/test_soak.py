"""Tests that workers need no more memory after ten minutes in which people come and go.

This is row 20 of docs/RELIABILITY.md.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import StartServer
from tests.faults.conftest import Measured
from tests.server import RunningServer
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.server.throwaway import UNLIMITED

GREENROOM = str(Path(sys.executable).with_name("greenroom"))
WORKERS = 2
FOR_S = 600.0
ROUND_PATIENTS, ROUND_LIMIT_S = 200, 150.0
WARM_ROUNDS = 4  # after these rounds, a worker has allocated all the memory that a round needs
EMPTY_S = 8.0  # after EMPTY_S seconds, the connections of all people who left have expired
LOOKS = 5


class Size(NamedTuple):
    """What all workers together use while nobody is connected: memory in MB, open descriptors, tasks."""

    memory: float
    descriptors: float
    tasks: float


def look(server: RunningServer) -> Size:
    """Return the present use of memory, descriptors and tasks by the server's workers."""
    memory = descriptors = tasks = 0.0
    for pid in server.pids:
        status = Path(f"/proc/{pid}/status").read_text()
        memory += int(status.partition("VmRSS:")[2].split()[0]) / 1024
        descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        tasks += json.loads((server.data / f"counted-{pid}.json").read_text())["tasks"]
    return Size(memory, descriptors, tasks)


async def size(server: RunningServer) -> Size:
    """Make the workers run their garbage collectors; return the medians of LOOKS samples of what they use."""
    looks = []
    for pid in server.pids:
        (server.data / f"counted-{pid}.collect").touch()
    for _ in range(LOOKS):
        await asyncio.sleep(1.0)
        looks.append(look(server))
    return Size(*(statistics.median(column) for column in zip(*looks, strict=True)))


async def visits(server: RunningServer, credentials: Path, seed: int) -> None:
    """Play synthetic patients at `server` who come, wait, talk and leave. Some reload their page or lose
    their socket.

    Their media is light: packets without an encoder.
    `credentials`: the file of the people who sign in. `seed`: the seed of the random details.
    """
    process = await asyncio.create_subprocess_exec(
        *(GREENROOM, "peers", "run", f"{server.url}/demo", "--credentials", str(credentials)),
        *("--patients", str(ROUND_PATIENTS), "--arrivals", "steady:6/s", "--providers", "8"),
        *("--fill-in", "100ms..500ms", "--claim-after", "50ms..200ms", "--talk", "500ms..2s"),
        *("--between", "50ms..200ms", "--reload", "5%", "--vanish", "5%", "--media", "light"),
        *("--seed", str(seed), "--fail-if", "errors>2%"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(ROUND_LIMIT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, said.decode()[-2000:]


def grown(before: float, after: float) -> float:
    """Return the growth from `before` to `after` in percent; 0 if the value has become smaller."""
    return max(0.0, (after - before) / before * 100)


@pytest.mark.minutes
async def test_r20_the_memory_of_workers_stays_flat_during_ten_minutes_of_arrivals_and_departures(
    start_server: StartServer, valkey_url: str, tmp_path: Path, measured: Measured
) -> None:
    server = start_server(
        {
            "server": {"workers": WORKERS, "demo": "yes"},
            "redis": {"url": valkey_url},
            "log": {"format": "json"},
            "limits": UNLIMITED,
        },
        command=[sys.executable, "-m", "tests.faults.counted"],
    ).wait()
    settings = parse({"data": {"folder": str(server.data)}}, "test")
    credentials = tmp_path / "staff"
    credentials.write_text("".join(f"{email} {demo.password(settings, email)}\n" for email in (OSEI, LIND)))
    sizes: list[Size] = []
    pids, end_s = server.pids, time.monotonic() + FOR_S
    while time.monotonic() < end_s or len(sizes) < WARM_ROUNDS + 2:
        await visits(server, credentials, len(sizes))
        await asyncio.sleep(EMPTY_S)
        sizes.append(await size(server))
        print(len(sizes), sizes[-1])
    assert server.pids == pids, "a worker was replaced"
    warm, last = sizes[WARM_ROUNDS - 1], sizes[-1]
    rounds = f"{len(sizes) * ROUND_PATIENTS} visits in {FOR_S / 60:.0f} minutes"
    measured(
        "F", f"soak, {rounds}: memory of the workers grew", grown(warm.memory, last.memory), "%", at_most=2
    )
    more = grown(warm.descriptors, last.descriptors)
    measured("F", f"soak, {rounds}: descriptors of the workers grew", more, "%", at_most=2)
    measured("F", f"soak, {rounds}: tasks of the workers grew", grown(warm.tasks, last.tasks), "%", at_most=2)
