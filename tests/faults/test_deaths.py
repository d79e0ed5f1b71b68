"""Tests the death of a worker or machine that carries a live call: picture and sound come back without any action.

The real server is killed with SIGKILL. Some tests use pages in real browsers. The others use light media,
without pages or encoders.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest
import redis

from signalling.clients.client import SignallingClient
from tests.conftest import StartServer
from tests.faults.caller import Caller, call, p95, until_received
from tests.faults.conftest import Measured, Rounds
from tests.journeys.people import Patient, credentials, on_call, person, see_and_hear
from tests.limits import WAIT_S
from tests.media.people import chromium_with_camera
from tests.server import RunningServer
from web.peers.people import entry
from web.peers.people.answers import information
from web.peers.people.entry import Clinic
from web.server.valkey import address_file

# A JavaScript function that runs in a page. `known`: the number of peer connections that the page had made
# before the kill. `killed`: the time of the kill. It returns the time in ms from then until a newer peer
# connection has pictures and sound; 60000 if none has by then.
BACK = """async ([known, killed]) => {
  for (;;) {
    for (const peer of window.__peers.slice(known)) {
      if (peer.connectionState === "closed") continue;
      let frames = 0, sound = 0;
      for (const stat of (await peer.getStats()).values()) {
        if (stat.type === "inbound-rtp" && stat.kind === "video") frames = stat.framesDecoded || 0;
        if (stat.type === "inbound-rtp" && stat.kind === "audio") sound = stat.bytesReceived || 0;
      }
      if (frames >= 2 && sound > 0) return Date.now() - killed;
    }
    if (Date.now() - killed > 60000) return 60000;
    await new Promise((done) => setTimeout(done, 20));
  }
}"""


def owner_of(server: RunningServer, visit: str) -> str:
    """Return the id of the worker that carries a visit's media."""
    url = address_file(server.data).read_text("utf-8")
    with redis.Redis.from_url(url, socket_timeout=WAIT_S) as store:
        owner = store.hget(f"{{demo}}:lease:{visit}", "owner")
    assert isinstance(owner, bytes)
    return owner.decode()


def pid_of(server: RunningServer, worker: str) -> int:
    """Return the process id of a worker."""
    return next(
        int(e["pid"]) for e in server.events if e["event"] == "worker.started" and e["worker"] == worker
    )


@pytest.mark.long
async def test_r30_two_pages_have_picture_and_sound_again_soon_after_their_medias_worker_was_killed(
    chromium: str, greenroom_server: StartServer, rounds: Rounds, measured: Measured
) -> None:
    server = greenroom_server(workers=2)
    back_s = []
    # The fake camera has 30 frames a second, as real cameras have. With the small film of other tests, the time until
    # there is a picture is a second longer.
    async with chromium_with_camera(chromium) as browser:
        provider = await on_call(browser, server)
        patient: Patient = await person(browser, server, Patient)
        await patient.meet_now()
        await patient.other_worker(than=provider.worker)
        await provider.claim()
        await patient.press("Start Session")
        await provider.press("Start Session")
        visit = provider.page.url.rpartition("/")[2]
        for number in range(rounds(1, 20)):
            if number:
                await asyncio.sleep(2)  # the process that replaces the killed worker needs this time to start
            await see_and_hear(patient, provider)
            victim = pid_of(server, owner_of(server, visit))
            known = [await side.page.evaluate("window.__peers.length") for side in (patient, provider)]
            os.kill(victim, signal.SIGKILL)
            killed_ms = time.time() * 1000
            times_ms = await asyncio.gather(
                *(
                    side.page.evaluate(BACK, [count, killed_ms])
                    for side, count in zip((patient, provider), known, strict=True)
                )
            )
            back_s.append(max(times_ms) / 1000)
    print("R30 pages:", [round(each, 2) for each in back_s])
    measured("R30", "kill -9 of the media's worker, two Chromium pages, p95", p95(back_s), "s", at_most=1.5)


async def signed_in(clinic: Clinic, server: RunningServer) -> dict[str, str]:
    """Sign a provider of the clinic in at the server; return the headers with which that person opens a WebSocket."""
    email, password = await credentials(server, "osei")
    browser = entry.Browser(clinic)
    answer = await browser.post(f"{clinic.path}/staff/sign-in", {"email": email, "password": password})
    assert answer.status == 303, answer.status
    browser.close()
    return browser.headers


async def in_line(clinic: Clinic, number: int) -> tuple[dict[str, str], str]:
    """Bring the patient with this number into the queue; return (the headers with which a WebSocket is opened for that
    person, the visit).
    """
    browser = entry.Browser(clinic)
    form = information(number, await clinic.language(browser))
    answer = await browser.post(f"{clinic.path}/information", form)
    assert answer.status == 303, answer.status
    browser.close()
    client = await SignallingClient.connect(
        clinic.http, clinic.socket_url, "patient", headers=browser.headers
    )
    visit = client.welcome["visit"]
    await client.send({"type": "bye", "id": 1})
    await client.close()
    return browser.headers, visit


async def test_r30_light_media_flows_again_soon_after_its_worker_was_killed(
    greenroom_server: StartServer, rounds: Rounds, measured: Measured
) -> None:
    server = greenroom_server(workers=2)
    back_s = []
    async with Clinic(server.url + "/demo") as clinic:
        staff = await signed_in(clinic, server)
        for number in range(rounds(1, 20)):
            if number:
                await asyncio.sleep(2)
            headers, visit = await in_line(clinic, number + 1)
            patient = Caller(clinic.http, "patient", headers, visit, [clinic.socket_url])
            provider = Caller(clinic.http, "staff", staff, visit, [clinic.socket_url])
            async with call(patient, provider):
                victim = pid_of(server, owner_of(server, visit))
                killed_s = time.monotonic()
                os.kill(victim, signal.SIGKILL)
                back_s.append(await until_received((patient, provider), killed_s + 0.05, WAIT_S))
                await provider.client.request("visit.end", visit=visit)
    print("R30 light media:", [round(each, 2) for each in back_s])
    measured("R30", "kill -9 of the media's worker, light media, p95", p95(back_s), "s", at_most=1.0)


async def test_r30_a_call_moves_to_the_other_machine_when_a_whole_machine_dies(
    machines: Callable[[], RunningServer], rounds: Rounds, measured: Measured
) -> None:
    back_s = []
    stays = machines()
    async with Clinic(stays.url + "/demo") as clinic:
        staff = await signed_in(clinic, stays)
        for number in range(rounds(1, 20)):
            dies = machines()
            there = dies.url.replace("http", "ws") + "/demo/ws"
            here = clinic.socket_url
            headers, visit = await in_line(clinic, number + 1)
            patient = Caller(clinic.http, "patient", headers, visit, [here])
            provider = Caller(clinic.http, "staff", staff, visit, [there, here])
            # For 3 s after its own start, or after the store was away, a worker declares no other worker
            # dead. Wait until the 3 s are over.
            await asyncio.sleep(3)
            async with call(patient, provider):
                killed_s = time.monotonic()
                os.killpg(dies.process.pid, signal.SIGKILL)
                back_s.append(await until_received((patient, provider), killed_s + 0.05, WAIT_S))
                await provider.client.request("visit.end", visit=visit)
    print("R30 machine:", [round(each, 2) for each in back_s])
    measured("R30", "kill -9 of one machine of two, p95", p95(back_s), "s", at_most=3.0)
