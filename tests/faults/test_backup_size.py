"""Measures a backup and a restore of many visits, and claims during the backup (docs/RELIABILITY.md row 38)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from signalling.clients.client import SignallingClient
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.packed import PackedVisit, packed
from signalling.visit.record import ChatMessage
from signalling.visit.relations import Event
from tests.benchmarks.figures import percentile
from tests.benchmarks.server import BenchServer
from tests.benchmarks.visits import open_visits
from tests.conftest import StartServer
from tests.faults.conftest import Measured, Rounds
from tests.faults.ended import NAMES, ended_visit
from tests.prepared import GREENROOM
from tests.server import ROOT, RunningServer, toml
from tests.signalling.past import CHAT, tally
from web.commands.organisations import located
from web.config import Settings, load
from web.peers.cli.local import ORGANISATION
from web.server.data_key import data_key, key_id
from web.server.throwaway import UNLIMITED, Throwaway

FILL = """
for number = ARGV[1], ARGV[2] do
  local name = 'v_past' .. number
  redis.call('COPY', KEYS[1], (string.gsub(KEYS[1], '[^:]+$', name)))
  redis.call('ZADD', KEYS[2], ARGV[3] - 60000 * number, name)
end
"""
"""A script of the store: it copies the packed visit KEYS[1] to visits with new numbers. ARGV: the first
number, the last number, and a time in ms. The visit with the number n ended n minutes before this time.
"""
AT_ONCE = 1000
BEFORE_S, BACKUPS = 20, 5
"""BEFORE_S: the time in s for which claims are measured before the first backup. BACKUPS: the number of
backups.

Hundreds of claims are made before the backups, and hundreds during them. With only a hundred, the 99th
percentile would depend on a single claim.
"""
PAUSE_S = 0.05
"""The pause in s between two claims: a client may send 50 messages a second, and each claim needs two."""


def fill(settings: Settings, number: int) -> None:
    """Write `number` packed visits, each with ten chat messages and a measured call, that ended in recent weeks.

    `settings`: the settings of the server. All visits are copies of one, which is enough because only the backup reads
    them.
    """
    key, now_ms = data_key(Path(settings.data.folder)), round(time.time() * 1000)
    visit = ended_visit(ORGANISATION, 0, now_ms)
    lines = [
        ChatMessage(
            id=f"m_{line:016}", visit=visit.id, at_ms=now_ms, party="patient", name=NAMES[0], text=text
        )
        for line, text in enumerate(CHAT)
    ]
    kinds = ("opened", "guide_finished", "claimed", "started", "went_live", "ended")
    whole = PackedVisit(
        visit,
        tuple(Event(kind, now_ms, visit.claimant) for kind in kinds),
        tuple(lines),
        (tally("patient", NAMES[0]), tally("provider", NAMES[1])),
    )
    past, ended = keys.PAST(ORGANISATION, visit.id), keys.ENDED(ORGANISATION)
    with redis.Redis.from_url(settings.redis.url, socket_timeout=60) as client:
        store: Any = client
        store.set(past, Seal({key_id(key): key}).close(packed(whole), f"{ORGANISATION}/past/{visit.id}"))
        for first in range(0, number, AT_ONCE):
            store.eval(FILL, 2, past, ended, first, min(number, first + AT_ONCE) - 1, now_ms)


async def claims(
    client: SignallingClient, visits: list[str], took_ms: list[float], enough: asyncio.Event
) -> None:
    """Claim visits as the provider of `client`, and return them to the queue, in turn, until `enough` is set.

    `took_ms`: gets the time in ms of each claim. All visits are in the queue again when this returns.
    """
    while not enough.is_set():
        for visit in visits:
            began_s = time.perf_counter()
            await client.request("visit.claim", visit=visit)
            took_ms.append((time.perf_counter() - began_s) * 1000)
            await client.request("visit.release", visit=visit)
            await asyncio.sleep(PAUSE_S)


async def command(server: RunningServer, *words: str) -> dict[str, Any]:
    """Run a command of Greenroom with the settings of a server; return what it prints as JSON.

    `words`: the command and its arguments.
    """
    line = [GREENROOM, *words, "--json", "--config", str(server.config)]
    done = await asyncio.to_thread(
        subprocess.run, line, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.minutes
async def test_r38_a_hundred_thousand_visits_are_backed_up_beside_claims_and_restored_in_a_minute_each(
    greenroom_server: StartServer, rounds: Rounds, measured: Measured, tmp_path: Path
) -> None:
    number, file = rounds(5_000, 100_000), tmp_path / "backup"
    server = greenroom_server(workers=2, limits=UNLIMITED)
    settings = located(load(server.config))
    (login,) = await BenchServer(Throwaway(settings, server.url, [], 0)).signed_in(1, 1)
    visits = await open_visits(settings, ORGANISATION, 20)
    await asyncio.to_thread(fill, settings, number)
    before_ms: list[float] = []
    meanwhile_ms: list[float] = []
    headers = {"Cookie": login.cookie, "Origin": server.url}
    async with aiohttp.ClientSession() as http:
        client = await SignallingClient.connect(
            http, f"{server.url}/{ORGANISATION}/ws", "staff", headers=headers
        )
        await client.request("on_call", on=True)
        for took_ms in (before_ms, meanwhile_ms):
            enough = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(claims(client, visits, took_ms, enough))
                if took_ms is before_ms:
                    await asyncio.sleep(BEFORE_S)
                else:
                    for _ in range(rounds(1, BACKUPS)):
                        file.unlink(missing_ok=True)
                        said = await command(server, "backup", str(file))
                enough.set()
        await client.close()
    assert said["visits"] >= number
    assert server.stop() == 0
    server.config.write_text(toml({"data": {"folder": str(tmp_path / "restored")}}), "utf-8")
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "secret.key").write_bytes((server.data / "secret.key").read_bytes())
    restored = await command(server, "restore", str(file))
    assert (restored["visits"], restored["keys"]) == (said["visits"], said["keys"])
    print(f"{said['keys']} keys, {said['bytes'] / 1e6:.0f} MB: {said['seconds']} s, {restored['seconds']} s")
    print("claims before and meanwhile, p50 and p99 in ms:")
    print([round(percentile(took, q), 1) for took in (before_ms, meanwhile_ms) for q in (50, 99)])
    measured("R38", f"backup of {number} visits", said["seconds"], "s", at_most=60)
    measured("R38", f"restore of {number} visits", restored["seconds"], "s", at_most=60)
    measured("R38", "a claim during the backup, p99", percentile(meanwhile_ms, 99), "ms", at_most=10)
