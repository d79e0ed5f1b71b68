"""Tests visits on networks that block something: over TCP if UDP is blocked, and through a real TURN server."""

from __future__ import annotations

import asyncio
import re
import warnings
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browsers import Shared, shared
from tests.conftest import StartServer
from tests.journeys.namespace import without_udp
from tests.journeys.people import Patient, Staff, in_call, one_press_before, person, see_and_hear
from tests.journeys.turn import SECRET, coturn
from tests.limits import WAIT_S
from tests.server import RunningServer

ONLY_TCP = """
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  return set.call(this, { type, sdp: sdp.replace(/a=candidate:\\S+ 1 udp .*\\r\\n/g, "") });
};
"""
"""A script that removes the UDP candidates from each offer, so that the browser uses TCP, as if UDP were blocked."""

ONLY_THE_PAGES_PORT = """
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  const others = new RegExp(String.raw`a=candidate:(?!\\S+ 1 tcp \\d+ \\S+ ${location.port} ).*\\r\\n`, "g");
  return set.call(this, { type, sdp: sdp.replace(others, "") });
};
"""
"""A script that removes all candidates except those at the port of the pages, as if a firewall allowed no other port.
"""

ONLY_TURN = """
const Made = RTCPeerConnection;
window.RTCPeerConnection = class extends Made {
  constructor(configuration) { super({ ...configuration, iceTransportPolicy: "relay" }); }
};
"""

# The script repeats getStats, because the pair of addresses that carries the picture may appear late in the
# statistics.
PATH = """async () => {
  let reports = [];
  const find = (is) => reports.find(is);
  const chosen = ({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded";
  for (let tries = 0; tries < 600 && !find(chosen); tries += 1) {
    await new Promise((done) => setTimeout(done, tries && 100));
    reports = [...(await window.__connections.at(-1).getStats()).values()];
  }
  const pair = find(chosen);
  const local = find(({ id }) => id === pair.localCandidateId);
  const remote = find(({ id }) => id === pair.remoteCandidateId);
  const { protocol, port } = remote;
  return { local: local.candidateType, protocol, port, relay: local.relayProtocol ?? null };
}"""

CONNECTIONS = """
window.__connections = [];
{
  const Kept = RTCPeerConnection;
  window.RTCPeerConnection = class extends Kept {
    constructor(...how) { super(...how);
      window.__connections.push(this);
      window.__states = [];
      this.addEventListener("connectionstatechange", () => window.__states.push(this.connectionState));
    }
  };
}
"""


CREDENTIALS = "() => /^a=ice-ufrag:.*/m.exec(window.__connections.at(-1).currentRemoteDescription.sdp)[0]"


async def test_f01_a_visit_where_the_network_blocks_udp(
    shared_chromium: Shared, chromium: str, start_server: StartServer
) -> None:
    """Puts the server and the browsers into a network namespace in which every datagram is lost. If that is not allowed
    on this machine, the patient's page ignores UDP candidates instead.
    """
    async with AsyncExitStack() as inside:
        blocked = inside.enter_context(without_udp())
        if not blocked:
            warnings.warn("no namespace without UDP here: the patient's browser ignores UDP", stacklevel=1)
        kept = await inside.enter_async_context(shared(chromium)) if blocked else shared_chromium
        browser = await inside.enter_async_context(kept.lent())
        # Do not start this server from the prepared process (tests/prepared.py): that process is outside of
        # this network namespace, and must stay outside for the servers of later tests.
        server = start_server(quick=False).wait()
        inside.callback(server.stop)
        await _without_udp(browser, server, *([] if blocked else [ONLY_TCP]))


async def _without_udp(browser: Browser, server: RunningServer, *scripts: str) -> None:
    """Play the visit: its beginning, a restart of ICE, a device check, and a reload. `scripts`: run in the patients'
    pages.
    """
    patient, provider = await one_press_before(browser, server, *scripts, CONNECTIONS)
    await provider.press("Start Session")
    await see_and_hear(patient, provider)
    path = await patient.page.evaluate(PATH)
    assert path["protocol"] == "tcp"
    await _restarts_ice(patient)
    await _checks_devices(browser, provider, *scripts)
    await patient.page.reload()
    await see_and_hear(patient, provider)
    assert [*patient.problems, *provider.problems] == []


async def _restarts_ice(patient: Patient) -> None:
    """Check that the same connection gets new ICE credentials when the browser reports that it is online again, and
    that the connection does not begin anew.
    """
    before = await patient.page.evaluate(CREDENTIALS)
    count = await patient.page.evaluate("window.__connections.length")
    await patient.page.evaluate("window.__states.length = 0")
    await patient.page.evaluate("dispatchEvent(new Event('online'))")
    await patient.page.wait_for_function(f"before => ({CREDENTIALS})() !== before", arg=before)
    await patient.sees_and_hears()
    states = await patient.page.evaluate("window.__states")
    # On a busy machine packets may come late, so that the connection is lost for a moment, and found again by itself.
    assert set(states) <= {"disconnected", "connected"}, states
    assert await patient.page.evaluate("window.__connections.length") == count


async def _checks_devices(browser: Browser, provider: Staff, *scripts: str) -> None:
    """Check that the device check of a second patient finds a path over TCP, and that the server logs the path.
    `scripts`: run in the patient's page.
    """
    other: Patient = await person(browser, provider.server, Patient)
    for script in scripts:
        await other.page.add_init_script(script)
    await other.meet_now()
    await other.page.evaluate("location.hash = 'devices'")
    async with asyncio.timeout(WAIT_S):
        while not any(  # noqa: ASYNC110 (a log file)
            entry["event"] == "media.probed" and entry["transport"] == "tcp"
            for entry in provider.server.events
        ):
            await asyncio.sleep(0.1)


async def test_a_visit_over_the_pages_own_port_whichever_worker_accepts(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server(workers=2)
    patient, provider = await in_call(browser, server, ONLY_THE_PAGES_PORT, CONNECTIONS)
    path = await patient.page.evaluate(PATH)
    assert (path["protocol"], path["port"]) == ("tcp", int(server.url.rpartition(":")[2]))
    await patient.page.reload()
    await see_and_hear(patient, provider)
    assert [*patient.problems, *provider.problems] == []


@pytest.mark.long
async def test_a_visit_through_a_turn_server_with_credentials_that_expire(
    browser: Browser, greenroom_server: StartServer, tmp_path: Path
) -> None:
    async with coturn(tmp_path) as port:
        url = f"turn:127.0.0.1:{port}?transport=tcp"
        server = greenroom_server(media={"turn": [url], "turn_secret": SECRET})
        patient, provider = await in_call(browser, server, ONLY_TURN, CONNECTIONS)
        path = await patient.page.evaluate(PATH)
        assert (path["local"], path["relay"]) == ("relay", "tcp")
        assert [*patient.problems, *provider.problems] == []
        assert SECRET not in server.log
        assert not re.search(r"\d{10}:[0-9a-f]{16}", server.log), "credentials in the log"
