"""Tests that a release takes over a running server by `greenroom upgrade`, while calls go on.

This is row 36 of docs/RELIABILITY.md.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.faults.caller import Caller, call, until_received
from tests.faults.conftest import Measured, Rounds
from tests.faults.test_deaths import in_line, signed_in
from tests.ports import free_ports
from tests.server import ROOT, RunningServer
from web.commands.organisations import located
from web.commands.status import _status
from web.config import load
from web.peers.people.entry import Clinic

NEXT = "99.0.0"
PROGRAM = """\
#!{python}
import sys

sys.path.insert(0, {folder!r})
{first}
from web.commands.main import main

main()
"""


def installed(folder: Path, first: str = "") -> Path:
    """Install the code of this checkout into a folder as version NEXT; return its program. `first`: Python
    code that the program runs before everything else.
    """
    about = folder / f"greenroom-{NEXT}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: greenroom\nVersion: {NEXT}\n", "utf-8")
    for package in ("media", "signalling", "web"):
        (folder / package).symlink_to(ROOT / package)
    program = folder / "bin" / "greenroom"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder), first=first), "utf-8")
    program.chmod(0o755)
    return program


async def upgrade(program: Path, server: RunningServer, *options: str) -> tuple[int, str, str]:
    """Run the command `upgrade` of `program` (a greenroom), so that it takes over `server`.

    `options`: further command-line options. Return (exit code, standard output, standard error).
    """
    command = [str(program), "upgrade", "--config", str(server.config), *options]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=ROOT, check=False
    )
    return done.returncode, done.stdout, done.stderr


async def versions(server: RunningServer) -> set[str]:
    """Return the versions of the running workers, by the report of `greenroom status`, without those that are about
    to stop.
    """
    found = await _status(located(load(server.config)))
    return {worker.version for worker in found.workers if not worker.draining}


async def scrape(http: aiohttp.ClientSession, port: int, answers: list[int]) -> None:
    """Read the metrics ten times a second, each time on a new connection, until cancelled.

    Add the HTTP status of each answer to `answers`; 0 if there was no answer."""
    while True:
        try:
            headers = {"Connection": "close"}
            async with http.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as answer:
                assert "greenroom_" in await answer.text()
                answers.append(answer.status)
        except aiohttp.ClientError:
            answers.append(0)
        await asyncio.sleep(0.1)


@pytest.mark.minutes
async def test_r36_a_release_takes_over_while_calls_go_on_and_a_broken_one_does_not(
    greenroom_server: StartServer, rounds: Rounds, measured: Measured, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    server = greenroom_server(workers=2, metrics={"port": port})
    broken = installed(tmp_path / "broken", "if 'serve' in sys.argv: raise SystemExit('greenroom: no room')")
    program = installed(tmp_path / "next")
    before, master = server.pids, server.process.pid
    async with Clinic(server.url + "/demo") as clinic, AsyncExitStack() as calls:
        staff = await signed_in(clinic, server)
        callers: list[Caller] = []
        for number in range(rounds(1, 2)):
            headers, visit = await in_line(clinic, number + 1)
            pair = [
                Caller(clinic.http, role, who, visit, [clinic.socket_url])
                for role, who in (("patient", headers), ("staff", staff))
            ]
            await calls.enter_async_context(call(pair[0], pair[1]))
            callers += pair
        code, _, said = await upgrade(broken, server)
        assert code == 1
        assert "does not start" in said
        assert "no room" in said
        code, text, _ = await upgrade(program, server, "--check")
        assert code == 0, text
        assert f"{NEXT} starts beside" in text
        assert server.pids == before, "nothing has changed"

        began_s, answers = time.monotonic(), list[int]()
        scraper = asyncio.create_task(scrape(clinic.http, port, answers))
        code, text, said = await upgrade(program, server, "--json", "--backup", str(tmp_path / "backup"))
        assert code == 0, said
        upgraded: dict[str, Any] = json.loads(text)
        assert upgraded["process"] == master
        assert upgraded["installed"] == NEXT
        assert (tmp_path / "backup").exists()
        await until_received(callers, time.monotonic(), 20)
        scraper.cancel()
        assert set(answers) == {200}, "the port of the metrics is never closed"
        gap_s = max(caller.longest_gap_s(began_s) for caller in callers)
    assert not set(before) & set(server.pids)
    assert len(server.pids) == 2
    assert server.process.poll() is None
    assert NEXT in await versions(server)
    print("R36 upgrade: gap", round(gap_s, 2), "took", upgraded["seconds"])
    measured("R36", "upgrade of 2 workers: longest time without a packet in a call", gap_s, "s", at_most=3)
    assert server.stop() == 0
