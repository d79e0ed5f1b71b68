"""Tests whole visits with standard WebRTC peers: a talk, a new network address, an ICE restart, a reload."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import ifaddr
import pytest

from tests.journeys.peers.process import ProcessSources, peer_process
from tests.limits import WAIT_S
from tests.media.duo import until
from tests.web.conftest import OpenSite
from tests.web.site import OSEI
from web.organisations import demo
from web.peers.media.flow import Flow
from web.peers.media.media import Proxied
from web.peers.people.people import Patient, Provider

HERE = Path(__file__).parent
WERIFT = HERE.parents[1] / "javascript" / "node_modules" / "werift"
SOUND = 0.01  # the energy of a third of a second of tone; a minute of silence has a thousandth of this energy


def address() -> str:
    """Return an IPv4 address of this machine: one that is not loopback, if there is one, because standard peers offer
    no candidate on loopback.
    """
    found = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4)
    return next((str(ip) for ip in found if not ip_address(str(ip)).is_loopback), "127.0.0.1")


HOST = address()


@dataclass(frozen=True)
class Standard:
    """A kind of peer. `command` runs it; `missing` returns the reason why it cannot run on this machine, or "" if it
    can.
    """

    name: str
    command: tuple[str, ...]
    missing: Callable[[], str]


def no_gstreamer() -> str:
    """Return the reason why GStreamer cannot be a peer on this machine; "" if it can."""
    asked = ["/usr/bin/python3", "-c", "import gi; gi.require_version('GstWebRTC', '1.0')"]
    try:
        fits = subprocess.run(asked, capture_output=True, timeout=WAIT_S, check=False).returncode == 0
    except OSError:
        fits = False
    return "" if fits else "GStreamer's webrtcbin with Python's bindings is not installed (see .ci/programs)"


def no_werift() -> str:
    """Return the reason why werift cannot be a peer on this machine; "" if it can."""
    return (
        ""
        if WERIFT.is_dir() and shutil.which("node")
        else "werift is not installed (`make check` installs it)"
    )


def no_firefox() -> str:
    """Return the reason why Firefox cannot be a peer on this machine; "" if it can."""
    if HOST == "127.0.0.1":
        return "Firefox uses no loopback address, and this machine has no other"
    return "" if shutil.which("firefox-esr") else "Firefox ESR is not installed (see .ci/programs)"


PEERS = [
    Standard("aiortc", (sys.executable, str(HERE / "stock_aiortc.py")), lambda: ""),
    Standard("webrtcbin", ("/usr/bin/python3", str(HERE / "webrtcbin.py"), "VP8"), no_gstreamer),
    Standard("werift", ("node", str(HERE / "werift.js"), str(WERIFT)), no_werift),
    Standard("firefox", (sys.executable, str(HERE / "firefox.py"), "firefox-esr"), no_firefox),
]


async def arrives(flow: Flow, pictures: int, what: str) -> None:
    """Wait until `pictures` further pictures and some sound have arrived. Raises AssertionError with `what` if they do
    not.
    """
    wanted, energy = flow.pictures + pictures, flow.sound + SOUND
    try:
        await until(lambda: flow.pictures >= wanted and flow.sound >= energy, WAIT_S + pictures / 5)
    except TimeoutError:
        raise AssertionError(
            f"{what}: {wanted - flow.pictures} more pictures wanted; arrived: {flow}"
        ) from None


async def visit(open_site: OpenSite, standard: Standard, pictures: int) -> None:
    """Hold a visit whose patient is a peer of the kind `standard`, and whose provider is aiortc.

    `pictures`: the number of pictures that must arrive in the talk.
    """
    reason = standard.missing()
    if reason:
        pytest.skip(reason)
    site = await open_site(media={"host": HOST})
    url = str(site.server.make_url("/demo"))
    async with peer_process(standard.command) as peer:
        sources = ProcessSources(peer=peer, host=HOST)
        patient = Patient(url, media=sources, timeout_s=WAIT_S)
        provider = Provider(url, OSEI, demo.password(site.settings, OSEI), media="real", timeout_s=WAIT_S)
        async with patient, provider:
            await provider.sign_in()
            await provider.on_call()
            await story(patient, provider, standard, pictures)
        assert patient.seen.refusals == provider.seen.refusals == []
        assert patient.seen.problems == provider.seen.problems == []
        assert peer.problems == []


async def story(patient: Patient, provider: Provider, standard: Standard, pictures: int) -> None:
    """Play the visit: Start Session, the talk, a new network address, an ICE restart, a reload, and the end.

    `standard`: the kind of the patient's peer. `pictures`: the number of pictures that must arrive in the talk.
    """
    number = await patient.meet_now()
    ours, theirs = await asyncio.gather(provider.claim(number), patient.pulled_in())

    async def both(count: int, what: str) -> None:
        await asyncio.gather(
            arrives(ours.flow, count, f"{what}, at the provider"),
            arrives(theirs.flow, count, f"{what}, at the peer"),
        )

    await ours.start()
    assert ours.flow.frames == theirs.flow.frames == 0, "nothing crosses before both have pressed"
    await theirs.start()
    await both(pictures, "the talk")
    assert isinstance(theirs.media, Proxied)
    assert theirs.media.proxy is not None
    theirs.media.proxy.rebind()
    await both(10, "a new address")
    # Firefox restarts ICE. The other peers cannot, and join again instead.
    await patient.request("media.restart", visit=number)
    await both(10, "a restart of ICE")
    await patient.reload()
    await both(10, "a reload")
    await ours.end()
    assert await theirs.ended() == "completed"


@pytest.mark.parametrize(
    "standard",
    [pytest.param(one, id=one.name, marks=[] if one is PEERS[0] else [pytest.mark.long]) for one in PEERS],
)
async def test_a_visit_with_a_standard_peer(open_site: OpenSite, standard: Standard) -> None:
    await visit(open_site, standard, 20)


@pytest.mark.minutes
@pytest.mark.parametrize("standard", PEERS, ids=lambda standard: standard.name)
async def test_a_minute_of_talk_with_a_standard_peer(open_site: OpenSite, standard: Standard) -> None:
    await visit(open_site, standard, 600)
