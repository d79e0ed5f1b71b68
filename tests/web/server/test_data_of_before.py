"""Tests that this version opens the data folder of an earlier version, with all its content.

The version of 2026-11-27 (commit a9ff74a) has written `data/2026-11-27.tar.gz`. It contains the demo clinic, twelve
visits by two providers, from Meet Now to their end, one patient in the queue, an API key, and the audit log. All people
are invented.
"""

from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path

import aiohttp

from greenroom import SignallingClient
from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.web.commands.test_organisations import greenroom

FOLDER = Path(__file__).with_name("data") / "2026-11-27.tar.gz"
OSEI, PASSWORD = "osei@riverside.example", "grain-ember-cloud-9803"
KEY = "gr_09abbcc45c5e__jH6Fp--8NMGWVnqxXL7c6ZZsnKauDZRJy52Wqzvmrs"
VISITS, ENTRIES = 12, 136


def _server(start: StartServer, tmp_path: Path) -> RunningServer:
    with tarfile.open(FOLDER) as archive:
        archive.extractall(tmp_path, filter="data")
    return start()


async def test_visits_accounts_keys_and_the_audit_log_of_an_earlier_version_are_there(
    greenroom_server: StartServer, tmp_path: Path
) -> None:
    server = _server(greenroom_server, tmp_path)
    origin = {"Origin": server.url}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        form = {"email": OSEI, "password": PASSWORD}
        async with http.post(
            f"{server.url}/demo/staff/sign-in", data=form, headers=origin, allow_redirects=False
        ) as answer:
            assert answer.status == 303
        client = await SignallingClient.connect(http, f"{server.url}/demo/ws", "staff", headers=origin)
        try:
            past = await client.request("sessions.past", outcome="completed")
            while past["unread"]:
                past = await client.request("sessions.past", outcome="completed")
            assert len(past["rows"]) == VISITS
            visit = past["rows"][0]["visit"]
            assert past["rows"][0]["name"]
            history = await client.request("visit.history", visit=visit)
            assert history["events"]
        finally:
            await client.close()
        async with http.get(
            f"{server.url}/demo/api/v1/wait", headers={"Authorization": f"Bearer {KEY}"}
        ) as answer:
            assert answer.status == 200
        async with http.get(f"{server.url}/demo") as answer:
            assert "Riverside Clinic" in await answer.text()
    entries = 0
    async with asyncio.timeout(WAIT_S):
        while entries <= ENTRIES:  # a worker adds the newest entries to the log within a second
            said = await asyncio.to_thread(greenroom, server, "audit", "verify")
            assert "unbroken since 2026-11-28" in said
            entries = int(said.split()[1].replace(",", ""))
    assert server.log.count('"error"') == 0
