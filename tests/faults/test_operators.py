"""Tests what an operator does while visits go on: to look at a claim, to rotate the data key, to restore a backup.

Meanwhile nobody in a visit may be without media of the other side, or without an answer to a chat message, for longer
than NOTICED_S. Two real servers share a store, as two machines do. The table in docs/RELIABILITY.md, section What an
operator does, also names the tests of the other acts.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.record import Status, Visit
from tests.docs.test_prometheus import TOKEN, Running, panels, prometheus, started
from tests.faults.caller import Caller, call
from tests.faults.conftest import Measured
from tests.faults.test_machines import People, people
from tests.otlp import receiver
from tests.prepared import GREENROOM
from tests.server import ROOT, RunningServer, toml
from tests.signalling.waits import until
from web.commands.organisations import located
from web.config import load
from web.peers.cli.local import ORGANISATION
from web.server.data_key import FILE, content, keys_in
from web.server.throwaway import UNLIMITED

__all__ = ["prometheus"]  # pytest needs this imported fixture in the module

NOTICED_S = 3.0
CHAT_EVERY_S = 0.5
CALLS = 2
PATIENCE_S = 60.0
STEPS = Counter(
    [
        "claim",
        "decided",
        "committed and published",
        *["event received"] * 2,
        "delivered to the patient",
        "pulled in",
    ]
)
"""The spans in the trace of a claim by a provider on one machine of a patient on another one."""
Machines = Callable[..., RunningServer]


async def greenroom(config: Path, *words: str) -> tuple[int, str, str]:
    """Run a command of `greenroom` with these settings; return (exit code, output, standard error)."""
    done = await asyncio.to_thread(
        subprocess.run,
        [GREENROOM, *words, "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


class Noticed:
    """What the people in visits notice. `answers_s`: the time in s until each of their chat messages was answered."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self.visits = {caller.visit for caller in callers}
        self._callers = callers
        self._began_s = time.monotonic()
        self.answers_s: list[float] = []

    async def chat(self, caller: Caller) -> None:
        """Send chat messages from this person until cancelled."""
        while True:
            sent_s = time.monotonic()
            await caller.client.request("chat.send", visit=caller.visit, text="Are you there?")
            self.answers_s.append(time.monotonic() - sent_s)
            await asyncio.sleep(CHAT_EVERY_S)

    @property
    def longest_s(self) -> float:
        """The longest time in s until now without media or without an answer, for any of the people."""
        gaps_s = [caller.longest_gap_s(self._began_s) for caller in self._callers]
        return max([*gaps_s, *self.answers_s])


@asynccontextmanager
async def in_visits(crowd: People) -> AsyncIterator[Noticed]:
    """Bring CALLS patients and providers into calls, who also write to each other; yield what they notice.

    Raises AssertionError at the end if a message was refused or a connection was lost.
    """
    callers: list[Caller] = []
    async with AsyncExitStack() as calls:
        for _ in range(CALLS):
            pair = crowd.next()
            await calls.enter_async_context(call(*pair))
            callers += pair
        found = Noticed(callers)
        writing = [asyncio.create_task(found.chat(caller)) for caller in callers]
        try:
            await until(lambda: len(found.answers_s) > len(callers), PATIENCE_S)
            yield found
            assert not any(task.done() for task in writing), "each message was answered"
            assert [caller.closed_with for caller in callers] == [[]] * len(callers)
            assert await crowd.statuses(callers) == {Status.LIVE}
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)


def two(machines: Machines, **sections: dict[str, Any]) -> list[RunningServer]:
    """Start two machines on one store. `sections`: further sections of their settings."""
    return [machines(limits=UNLIMITED, **sections) for _ in range(2)]


@pytest.mark.minutes
@pytest.mark.parametrize("apart", [False, True], ids=["in the data folder", "in a folder apart"])
async def test_s45_the_data_key_of_two_machines_is_rotated_and_nobody_in_a_visit_notices_three_seconds(
    machines: Machines, valkey_url: str, measured: Measured, tmp_path: Path, apart: bool
) -> None:
    servers = two(machines)
    first, old = servers[0], content(servers[0].data)
    # In containers, the key is mounted as a file that cannot be replaced, so the command has a copy in another folder.
    folder = tmp_path / "rotating" if apart else first.data
    folder.mkdir(exist_ok=True)
    others = [server.data for server in servers if server.data != folder]
    if apart:
        shutil.copy(first.data / FILE, folder / FILE)

    def copy() -> None:
        for data in others:
            (data / FILE).write_bytes(content(folder))

    async with people(servers, valkey_url, CALLS + 1) as crowd, in_visits(crowd) as noticed:
        code, _, said = await greenroom(first.config, "rotate-keys", "--data", str(folder))
        assert (code, "do not know the new key yet" in said) == (1, True), said
        copy()
        code, text, said = await greenroom(first.config, "rotate-keys", "--json", "--data", str(folder))
        assert code == 0, said
        copy()
        (known,) = keys_in(content(first.data))
        assert known.decode() == json.loads(text)["key"]
        assert known not in keys_in(old)
        async with call(*crowd.next()):
            pass  # a visit that begins after the change of the data key has a working call
        longest_s = noticed.longest_s
    what = "rotation of the data key: the longest that a visit stood still"
    measured("S45", f"{what}, key in another folder" if apart else what, longest_s, "s", at_most=NOTICED_S)


@pytest.mark.minutes
async def test_r38_a_backup_is_taken_and_restored_and_nobody_in_a_visit_notices_three_seconds(
    machines: Machines, valkey_url: str, measured: Measured, tmp_path: Path
) -> None:
    servers, file, folder = two(machines), tmp_path / "backup", tmp_path / "restored"
    data = folder / "data"
    data.mkdir(parents=True)
    async with people(servers, valkey_url, CALLS) as crowd, in_visits(crowd) as noticed:
        code, _, said = await greenroom(servers[0].config, "backup", str(file))
        assert code == 0, said
        shutil.copy(servers[0].data / FILE, data / FILE)
        settings: dict[str, dict[str, Any]] = {"server": {"port": 0}, "data": {"folder": str(data)}}
        (folder / "config.toml").write_text(toml(settings), "utf-8")
        code, _, said = await greenroom(folder / "config.toml", "restore", str(file))
        assert code == 0, said
        restored = RunningServer(folder, settings)
        try:
            await asyncio.to_thread(restored.wait)
            assert await statuses(restored, noticed.visits) == dict.fromkeys(noticed.visits, Status.LIVE)
            code, text, said = await greenroom(restored.config, "audit", "verify")
            assert (code, "unbroken" in text) == (0, True), said
        finally:
            await asyncio.to_thread(restored.stop)
        longest_s = noticed.longest_s
    measured(
        "R38", "backup and restore: the longest that a visit stood still", longest_s, "s", at_most=NOTICED_S
    )


async def statuses(server: RunningServer, visits: set[str]) -> dict[str, Status]:
    """Return visit -> its status, for those of these visits that the embedded store of a server has."""
    url = located(load(server.config)).redis.url
    async with redis.asyncio.Redis.from_url(url) as client:
        store = Store(client, Seal(keys_in(content(server.data))))
        found = {visit: (await store.load(ORGANISATION, Visit, visit))[0] for visit in visits}
    return {visit: record.status for visit, record in found.items() if record is not None}


def shown(running: Running, title: str) -> list[float]:
    """Return the values above 0 that a panel of the dashboard shows now. `title`: the title of the panel."""
    (panel,) = (panel for panel in panels() if panel["title"] == title)
    asked = [target["expr"].replace("$__rate_interval", "1m") for target in panel["targets"]]
    found = [row for expression in asked for row in running.get("query", query=expression)["result"]]
    return [value for row in found if (value := float(row["value"][1])) > 0]


@pytest.mark.minutes
async def test_a_claim_on_one_machine_is_seen_in_a_trace_over_two_machines_and_in_the_dashboard(
    machines: Machines, valkey_url: str, tmp_path: Path, prometheus: str
) -> None:
    async with receiver() as received, AsyncExitStack() as stack:
        servers = two(machines, tracing={"endpoint": received.endpoint}, metrics={"token": TOKEN})
        running = stack.enter_context(started(prometheus, tmp_path, *servers))
        crowd = await stack.enter_async_context(people(servers, valkey_url, 3))

        async def counted() -> bool:
            query = 'greenroom_commands_total{command="claim", result="done"}'
            return bool((await asyncio.to_thread(running.get, "query", query=query))["result"])

        async def drawn(title: str) -> bool:
            return bool(await asyncio.to_thread(shown, running, title))

        for number in range(3):
            patient, provider = crowd.next()
            for person in (patient, provider):
                stack.push_async_callback(person.close)
                await person.open()
            await patient.client.request("subscribe", topic=f"visit/{patient.visit}")
            await provider.client.request("visit.claim", visit=provider.visit)
            await provider.join()
            await patient.join()
            if number == 0:
                # Prometheus must read the counter once before the other claims, because a rate needs two values.
                await until(counted, PATIENCE_S)
        for title in ("Claims", "Claim to the patient’s page"):
            await until(partial(drawn, title), PATIENCE_S)
        assert await asyncio.to_thread(shown, running, "Calls and parties")

        def whole() -> Counter[str]:
            spans = list(received.spans())
            last = [span.trace for span in spans if span.name == "pulled in"][-1:]
            return Counter(span.name for span in spans if [span.trace] == last)

        await until(lambda: whole() == STEPS, PATIENCE_S)
        workers = {span.name: span.worker for span in received.spans()}
    assert workers["claim"] != workers["delivered to the patient"], "they are on two machines"
