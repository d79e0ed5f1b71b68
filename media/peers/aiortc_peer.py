"""A party made with aiortc: answers the server's offer, sends generated media, counts received media.

For tests and load testers. Uses aiortc and PyAV. The caller does the signalling: it passes the offer, and sends the
returned answer. Like a browser, the party sends black and silence until `start()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import functools
import math
import random
import re
import struct
import time
from array import array
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import aioice.ice
from aiortc import (
    MediaStreamError,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE
from av import AudioFrame, VideoFrame

# aioice ignores a response that comes after 0.5 s, and closes the connection after six requests without a response in
# time. On a busy machine it would close a connection that a browser keeps: a browser waits for 30 s (RFC 7675). This
# number is high because the relay itself ends a connection without consent.
aioice.ice.CONSENT_FAILURES = 1_000

WIDTH: Final = 320
HEIGHT: Final = 240
FRAME_S: Final = 1 / 15
SAMPLE_RATE: Final = 48_000
AUDIO_FRAME_S: Final = 0.020
TONE_HZ: Final = 440
BLACK: Final = 16  # the luma (brightness) of black in video whose luma is from 16 to 235
WHITE: Final = 235
BAR: Final = 32
TILE: Final = 8
PICTURE_LUMA: Final = 40  # the luma above which a pixel is not black, even after coding
SAMPLING: Final = 61  # only every 61st pixel and every 61st sample of sound is read

_CANDIDATE = re.compile(r"^a=candidate:[^\r\n]*", re.MULTILINE)
_CANDIDATE_HOST = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\S+) ", re.MULTILINE)
# Without this policy, aiortc uses a separate transport for the second video in a room of more than two parties; the
# server has no such transport.
_CONFIGURATION: Final = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)
_TONE: Final = struct.pack(
    f"<{SAMPLE_RATE // TONE_HZ * TONE_HZ // 10}h",
    *(
        int(9000 * math.sin(2 * math.pi * TONE_HZ * n / SAMPLE_RATE))
        for n in range(SAMPLE_RATE // TONE_HZ * TONE_HZ // 10)
    ),
)


class Switched(MediaStreamTrack):
    """A track that is black or silent while `enabled` is False, like a muted track in a browser."""

    enabled = False


class _Paced(Switched):
    """A track whose frames are due at regular times, `interval_s` apart."""

    def __init__(self, interval_s: float) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._began_s: float | None = None
        self._count = 0

    async def next_count(self) -> int:
        """Wait until the next frame is due; return its number, from 1.

        Raises MediaStreamError if the track has ended.
        """
        if self.readyState != "live":
            raise MediaStreamError
        if self._began_s is None:
            self._began_s = time.monotonic()
        self._count += 1
        await asyncio.sleep(self._began_s + self._count * self._interval_s - time.monotonic())
        return self._count


class _Relayed(MediaStreamTrack):
    """A track for one connection that passes on the frames of another track, `source`.

    aiortc stops a connection's tracks when it closes the connection, but the next connection still needs `source`.
    """

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = source.kind
        self._source = source

    async def recv(self) -> Any:
        """Return the next frame of `source`. Raises MediaStreamError if this track or `source` has ended."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self._source.recv()


class PictureTrack(_Paced):
    """A bright bar that moves over grey tiles, or black while `enabled` is False.

    The tiles make a keyframe larger than one packet, like the keyframe of a camera, because the server treats
    a keyframe of one packet as a blank picture.
    """

    kind = "video"

    def __init__(self) -> None:
        super().__init__(FRAME_S)

    async def recv(self) -> VideoFrame:
        """Return the next frame when it is due. Raises MediaStreamError if the track has ended."""
        count = await self.next_count()
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        line = frame.planes[0].line_size
        if self.enabled:
            picture = bytearray(_tiles(line))
            for at in range(count * 8 % (WIDTH - BAR), HEIGHT * line, line):
                picture[at : at + BAR] = bytes([WHITE]) * BAR
            frame.planes[0].update(bytes(picture))
        else:
            frame.planes[0].update(bytes([BLACK]) * line * HEIGHT)
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = int(count * FRAME_S * VIDEO_CLOCK_RATE)
        frame.time_base = VIDEO_TIME_BASE
        return frame


@functools.cache
def _tiles(line: int) -> bytes:
    """Return the luma (brightness) bytes of a picture of grey tiles that an encoder cannot predict.

    `line`: the number of bytes for one row of pixels.
    """
    greys = random.Random(1)  # noqa: S311 - always the same tiles
    return b"".join(
        bytes(grey for grey in greys.choices(range(60, 170), k=-(-line // TILE)) for _ in range(TILE))[:line]
        * TILE
        for _ in range(HEIGHT // TILE)
    )


class ToneTrack(_Paced):
    """A steady tone, or silence while `enabled` is False."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__(AUDIO_FRAME_S)

    async def recv(self) -> AudioFrame:
        """Return the next 20 ms of sound when they are due. Raises MediaStreamError if the track has ended."""
        count = await self.next_count()
        samples = int(SAMPLE_RATE * AUDIO_FRAME_S)
        frame = AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(_TONE[: samples * 2] if self.enabled else bytes(samples * 2))
        frame.pts = count * samples
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        return frame


class SyntheticParty:
    """A party of a call, made with aiortc. `picture`, `sound`: tracks to send instead of the generated tracks.

    It counts the media that it receives. `frames_decoded`: pictures. `audio_frames`: frames of sound.
    `pictures_decoded`: pictures that are not black. `pictures_from`: label of a sender -> the number of its pictures
    that are not black. `audio_energy`: the sum of the squares of samples from -1 to 1; only one sample in SAMPLING is
    read.
    """

    def __init__(self, picture: Switched | None = None, sound: Switched | None = None) -> None:
        self.frames_decoded = 0
        self.pictures_decoded = 0
        self.pictures_from: Counter[str] = Counter()
        self.audio_frames = 0
        self.audio_energy = 0.0
        self.first_frame_was_picture: bool | None = None
        self._picture: Switched = picture or PictureTrack()
        self._tone: Switched = sound or ToneTrack()
        self._connection: RTCPeerConnection | None = None
        self._ufrags = set[str]()
        self._watchers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def answer(self, offer: str) -> str:
        """Return the SDP answer to an SDP offer.

        An offer with the same ufrag as the previous offer continues the connection, even if it has more m-lines. Any
        other offer begins a new connection.
        """
        ufrags = set(_UFRAG.findall(offer))  # one element: all sections of the offer have the same ufrag
        if self._connection is None or ufrags != self._ufrags:
            await self._drop_connection()
            self._ufrags = ufrags
            self._connection = RTCPeerConnection(_CONFIGURATION)
            self._connection.on("connectionstatechange", self._changed.set)
            self._connection.on("track", self._watch)
        connection = self._connection
        await connection.setRemoteDescription(RTCSessionDescription(_in_each_section(offer), "offer"))
        sending: set[str] = set()
        for transceiver in connection.getTransceivers():
            # In a room of more than two parties, all videos except the first are only received.
            if transceiver.kind in sending:
                continue
            sending.add(transceiver.kind)
            if not isinstance(transceiver.sender.track, _Relayed):
                source = self._picture if transceiver.kind == "video" else self._tone
                transceiver.sender.replaceTrack(_Relayed(source))
            transceiver.direction = "sendrecv"
        if all(host.startswith("127.") for host in _CANDIDATE_HOST.findall(offer)):
            await self._gather_on_loopback(connection)
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    def start(self) -> None:
        """Send picture and tone from now on, instead of black and silence."""
        self._picture.enabled = self._tone.enabled = True

    def stop(self) -> None:
        """Send black pictures and silence from now on, as before `start`."""
        self._picture.enabled = self._tone.enabled = False

    @property
    def connected(self) -> bool:
        """Return True if the peer connection is connected."""
        return self._connection is not None and self._connection.connectionState == "connected"

    async def wait_connected(self, timeout_s: float = 10.0) -> None:
        """Wait until the party is connected. Raises TimeoutError if this takes more than `timeout_s` seconds."""
        await self.wait_for(lambda: self.connected, timeout_s)

    async def wait_for(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until `condition()` is true. Raises TimeoutError if this takes more than `timeout_s` seconds.

        The condition is evaluated after each received frame and each change of the connection.
        """
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def close(self) -> None:
        """Close the connection to the server, and end the tracks that this party sends."""
        await self._drop_connection()
        self._picture.stop()
        self._tone.stop()

    async def _drop_connection(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    @staticmethod
    async def _gather_on_loopback(connection: RTCPeerConnection) -> None:
        """Add 127.0.0.1 to the candidates of a connection.

        aioice omits this address, but a relay on this machine may announce no other. This method uses private
        names of aioice, so the project allows only certain versions of aioice. If the names are missing, the
        machine's other addresses are used.
        """
        with contextlib.suppress(AttributeError):
            for transceiver in connection.getTransceivers():
                ice = transceiver.receiver.transport.transport.iceGatherer._connection
                if not ice._local_candidates_start:
                    ice._local_candidates_start = True
                    ice._local_candidates += await ice.get_component_candidates(
                        component=1, addresses=["127.0.0.1"]
                    )
                    ice._local_candidates_end = True

    def _watch(self, track: MediaStreamTrack) -> None:
        self._watchers.add(asyncio.ensure_future(self._consume(track)))

    async def _consume(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, VideoFrame):
                before = self.pictures_decoded
                self._count_picture(frame)
                self.pictures_from[track.id.removesuffix("-video")] += self.pictures_decoded - before
            elif isinstance(frame, AudioFrame):
                self._count_sound(frame)
            self._changed.set()

    def _count_picture(self, frame: VideoFrame) -> None:
        is_picture = max(bytes(frame.planes[0])[::SAMPLING]) > PICTURE_LUMA
        if self.first_frame_was_picture is None:
            self.first_frame_was_picture = is_picture
        self.frames_decoded += 1
        self.pictures_decoded += is_picture

    def _count_sound(self, frame: AudioFrame) -> None:
        samples = array("h", bytes(frame.planes[0])[: frame.samples * 2])
        self.audio_frames += 1
        self.audio_energy += sum((sample / 32768) ** 2 for sample in samples[::SAMPLING])


def _in_each_section(offer: str) -> str:
    """Return the SDP offer with its candidates in every m-section.

    aiortc uses the candidates of the last section for the whole bundle, but the server writes them only in the first.
    """
    candidates = "".join(f"{line}\r\n" for line in dict.fromkeys(_CANDIDATE.findall(offer)))
    session, *sections = re.split(r"^(?=m=)", offer, flags=re.MULTILINE)
    return session + "".join(
        section if "a=candidate:" in section else section + candidates for section in sections
    )
