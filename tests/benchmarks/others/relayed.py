"""Runs aiortc's MediaRelay as its documentation does: of the two connections of a call, each sends the other's tracks.

The server runs in its own process and is controlled by a pipe: it replies to ("call", (offer, offer)) with the two
answers.
"""

import asyncio
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from tests.benchmarks.packets import in_child


async def _call(relay: MediaRelay, offers: tuple[str, str]) -> tuple[list[RTCPeerConnection], list[str]]:
    peers = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in offers]
    for peer, offer in zip(peers, offers, strict=True):
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    for peer, other in zip(peers, reversed(peers), strict=True):
        for transceiver in other.getTransceivers():
            peer.addTrack(relay.subscribe(transceiver.receiver.track))
    answers = []
    for peer in peers:
        await peer.setLocalDescription(await peer.createAnswer())
        answers.append(peer.localDescription.sdp)
    return peers, answers


async def _serve(control: Connection) -> None:
    # aioice offers no loopback addresses by itself, but here both sides are on this machine.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    relay, calls = MediaRelay(), []
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    loop.add_reader(control.fileno(), lambda: heard.put_nowait(control.recv()))
    while True:
        what, offers = await heard.get()
        if what == "stop":
            break
        if what == "call":
            peers, answers = await _call(relay, offers)
            calls.append(peers)
            control.send(answers)
        else:
            control.send(None)
    loop.remove_reader(control.fileno())
    await asyncio.gather(*(peer.close() for peers in calls for peer in peers))


def running() -> AbstractContextManager[tuple[int, Connection]]:
    """Start the server; yield (its process id, the pipe for commands)."""
    return in_child(_serve, ("stop", None))
