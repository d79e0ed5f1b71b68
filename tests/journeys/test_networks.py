"""A visit on networks that block: without UDP over TCP, and through a real TURN server where only that gets out."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser

from tests.conftest import StartServer
from tests.journeys.people import in_call
from tests.journeys.turn import SECRET, coturn

ONLY_TCP = """
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  return set.call(this, { type, sdp: sdp.replace(/a=candidate:\\S+ 1 udp .*\\r\\n/g, "") });
};
"""
"""The browser sees no UDP candidate, as if no answer ever came from one."""

ONLY_TURN = """
const Made = RTCPeerConnection;
window.RTCPeerConnection = class extends Made {
  constructor(configuration) { super({ ...configuration, iceTransportPolicy: "relay" }); }
};
"""

PATH = """async () => {
  const reports = [...(await window.__connections.at(-1).getStats()).values()];
  const find = (is) => reports.find(is);
  const pair = find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
  const local = find(({ id }) => id === pair.localCandidateId);
  const remote = find(({ id }) => id === pair.remoteCandidateId);
  return { local: local.candidateType, protocol: remote.protocol, relay: local.relayProtocol ?? null };
}"""

CONNECTIONS = """
window.__connections = [];
{
  const Kept = RTCPeerConnection;
  window.RTCPeerConnection = class extends Kept {
    constructor(...how) { super(...how); window.__connections.push(this); }
  };
}
"""


async def test_a_visit_where_the_patients_network_blocks_udp(
    browser: Browser, greenroom_server: StartServer
) -> None:
    patient, provider = await in_call(browser, greenroom_server(), ONLY_TCP, CONNECTIONS)
    path = await patient.page.evaluate(PATH)
    assert path["protocol"] == "tcp"
    await patient.page.reload()
    await patient.sees_and_hears()
    await provider.sees_and_hears()
    assert [*patient.problems, *provider.problems] == []


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
