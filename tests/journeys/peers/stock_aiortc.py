"""A peer of process.py that uses aiortc as its documentation does: an RTCPeerConnection with its default settings."""

from __future__ import annotations

import asyncio
import json
import sys

from aiortc import (
    MediaStreamError,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame, VideoFrame

from media.peers.aiortc_peer import PICTURE_LUMA, SAMPLING, PictureTrack, ToneTrack

totals = {"frames": 0, "pictures": 0, "sound": 0.0}


def say(message: object) -> None:
    """Write a message as a line to standard output, which the test reads."""
    print(json.dumps(message), flush=True)


async def count(track: MediaStreamTrack) -> None:
    """Count the frames that arrive on a track, until it ends."""
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, VideoFrame):
            totals["frames"] += 1
            totals["pictures"] += max(bytes(frame.planes[0])[::SAMPLING]) > PICTURE_LUMA
            say(totals)
        elif isinstance(frame, AudioFrame):
            samples = memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples]
            totals["sound"] += (
                0.02 * sum((sample / 32768) ** 2 for sample in samples[::SAMPLING]) / len(samples[::SAMPLING])
            )


class Peer:
    """A peer with one connection at a time, and the tracks that this connection sends."""

    def __init__(self) -> None:
        self.connection: RTCPeerConnection | None = None
        self.tracks: list[PictureTrack | ToneTrack] = []
        self.counting: set[asyncio.Task[None]] = set()
        self.on = False

    async def answer(self, offer: str, fresh: bool) -> str | None:
        """Return the SDP answer to an offer.

        `fresh`: True if the offer begins a new connection. Otherwise it restarts ICE, which aiortc does not
        support; then return None.
        """
        if not fresh:
            return None
        await self.close()
        self.connection = connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.on("track", lambda track: self.counting.add(asyncio.ensure_future(count(track))))
        connection.on(
            "connectionstatechange",
            lambda: say({"connected": True}) if connection.connectionState == "connected" else None,
        )
        self.tracks = [PictureTrack(), ToneTrack()]
        self.switch(self.on)
        for track in self.tracks:
            connection.addTrack(track)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    def switch(self, on: bool) -> None:
        """Send picture and sound if `on`, otherwise black and silence."""
        self.on = on
        for track in self.tracks:
            track.enabled = on

    async def close(self) -> None:
        if self.connection is not None:
            await self.connection.close()


async def main() -> None:
    """Carry out the message in each line of standard input, until it ends."""
    peer, loop = Peer(), asyncio.get_running_loop()
    say({"ready": True})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        message = json.loads(line)
        if "offer" in message:
            say({"answer": await peer.answer(message["offer"], message["fresh"])})
        elif "on" in message:
            peer.switch(message["on"])
        else:
            peer.switch(on=False)
            await peer.close()
    await peer.close()


asyncio.run(main())
