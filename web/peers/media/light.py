"""Defines light media: real ICE, DTLS and SRTP with packets of the sizes and rate of a call, but without encoding.

A call has 30 frames in 110 video packets, and 50 audio packets, per second; one timer sends them for hundreds
of people. The code is written to use little CPU per packet. Before `start`, light media sends black and
silence, as a disabled track does.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import os
import random
import time
from collections.abc import Callable
from struct import Struct
from weakref import WeakKeyDictionary

from media.peers.raw import BROWSER_DELTA, BROWSER_KEYFRAME, RawPeer
from media.protocols.codecs import OPUS, VP8
from media.transport import srtp
from media.transport.dtls import Identity
from media.transport.srtp import best_binding
from web.peers.media.flow import Flow, until

FRAMES_PER_S, VIDEO_PER_S = 30, 110
VIDEO_BYTES, AUDIO_BYTES = 1188, 108
BLACK_BYTES, SILENCE_BYTES = 60, 12
# While the camera is off, only every sixth frame is sent, as one small packet.
BLACK_EVERY = 6
KEYFRAME_PACKETS = 8
FRAME_S, AUDIO_S, REPORT_S = 1 / FRAMES_PER_S, 0.02, 1.0
LOOK_S, KEEP_S, WAKE_S = 0.05, 1.0, 0.005
# If sending is late by at most this time in s, all overdue packets are sent. If it is later, some of them are left out.
LATE_S = 0.1
# types of RTCP packets (RFC 4585 §6.3.1) and of requests for a keyframe (RFC 5104 §4.3.1)
FEEDBACK, PLI, FIR = 206, 1, 4
_REPORT = Struct("!BBHIIIIII")
_AUDIO, _VIDEO = (
    Struct("!BBHII"),
    Struct("!BBHII5s"),
)  # These are the headers of RTP packets (RFC 3550 §5.1), for video with the first bytes of VP8 (RFC 7741 §4.2).


class Speaker(RawPeer):
    """One media connection to the relay: sends packets, answers keyframe requests, and counts received packets."""

    def __init__(self, identity: Identity, host: str, flow: Flow, changed: Callable[[], None]) -> None:
        super().__init__(best_binding(), identity, host)
        self.flow = flow
        self.on = False
        # The connection does not promise to send lost packets again, because it keeps no packet that it has sent.
        self.promises_nack = False
        self.on_rtcp = self._feedback
        self._changed = changed
        self._sequence = itertools.count(random.getrandbits(14))
        self._audio_sequence = itertools.count(random.getrandbits(14))
        self._number = itertools.count()
        self._owed = 0.0
        self._wants_keyframe = True
        self._was_ready = False
        self._buffer[:VIDEO_BYTES] = os.urandom(VIDEO_BYTES)

    def look(self, now: float) -> float:
        """Continue the ICE and DTLS handshakes; return the time in s after which `look` must be called again.

        In the same way, the methods `frame`, `sound` and `report` return when they must be called again.
        """
        self.tick(now)
        return KEEP_S if self.ready else LOOK_S

    def frame(self, now: float) -> float:
        """Send a video frame as three or more packets; return the time in s after which `frame` must be called again.

        While the camera is off, send only one small packet for every sixth frame.
        """
        if not self.ready:
            return FRAME_S
        key, self._wants_keyframe = self._wants_keyframe, False
        if self.on:
            self._owed += VIDEO_PER_S / FRAMES_PER_S
            count, self._owed = int(self._owed), self._owed % 1
            count, size = KEYFRAME_PACKETS if key else count, VIDEO_BYTES
        else:
            count, size = int(key or next(self._number) % BLACK_EVERY == 0), BLACK_BYTES
        timestamp = int(now * VP8.clock_rate) & 0xFFFFFFFF
        for place in range(count):
            begin = BROWSER_KEYFRAME if key and place == 0 else BROWSER_DELTA
            marked = VP8.payload_type | (0x80 if place == count - 1 else 0)
            sequence = next(self._sequence) & 0xFFFF
            _VIDEO.pack_into(self._buffer, 0, 0x80, marked, sequence, timestamp, self.video_ssrc, begin)
            self._emit(_AUDIO.size + size)
        return FRAME_S

    def sound(self, now: float) -> float:
        """Send 20 ms of sound or silence; return the time in s after which `sound` must be called again."""
        if self.ready:
            timestamp = int(now * OPUS.clock_rate) & 0xFFFFFFFF
            sequence = next(self._audio_sequence) & 0xFFFF
            _AUDIO.pack_into(self._buffer, 0, 0x80, OPUS.payload_type, sequence, timestamp, self.audio_ssrc)
            self._emit(_AUDIO.size + (AUDIO_BYTES if self.on else SILENCE_BYTES))
        return AUDIO_S

    def _emit(self, size: int) -> None:
        """Encrypt and send the first `size` bytes of the buffer: the newest header, and a payload without meaning."""
        self._length[0] = size
        if self.binding.protect(self.tx, self._handle, self._length) == srtp.OK:
            self.sent += 1
            try:
                self.udp.send(self._view[: self._length[0]])
            except OSError:
                # The system's send buffer is full, so the packet is lost, as can happen on any network.
                return

    def report(self, now: float) -> float:
        """Send a sender report (RFC 3550 §6.4.1); return the time in s after which `report` must be called again."""
        if self.ready:
            seconds = int(time.time()) & 0xFFFFFFFF
            self.send_rtcp(_REPORT.pack(0x80, 200, 6, self.video_ssrc, seconds, 0, 0, self.sent, 0))
        return REPORT_S

    def keyframe(self) -> None:
        """Send the next video frame as a keyframe."""
        self._wants_keyframe = True

    def readable(self) -> None:
        """Handle the datagrams that have arrived, and call `changed` once, when the connection is ready."""
        super().readable()
        if self.ready and not self._was_ready:
            self._was_ready = True
            self._changed()

    def _feedback(self, count: int, packet_type: int, packet: bytes) -> None:
        if packet_type == FEEDBACK and count in (PLI, FIR):
            self._wants_keyframe = True
            if self.on:
                # A requested keyframe is sent at once, as a real encoder does.
                self.frame(time.monotonic())

    def _media(self, size: int) -> None:
        kind = self._buffer[1]
        if kind < 192 or kind > 223:
            self.flow.packets += 1
            if kind & 0x7F == VP8.payload_type and self.flow.add(time.monotonic()):
                self._changed()
            self.received += 1
            return
        super()._media(size)


Work = Callable[[Speaker, float], float]
WORK: tuple[Work, ...] = (Speaker.look, Speaker.frame, Speaker.sound, Speaker.report)


class Pacer:
    """Sends the light media of all people in one event loop, with one timer.

    Light media are made-up packets over real ICE, DTLS and SRTP, without an encoder.
    All packets that are due within a few milliseconds are sent together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # All speakers use one DTLS certificate, because making a certificate costs more CPU than a handshake.
        self.identity = Identity(0.0)
        self._loop = loop
        self._due: list[tuple[float, int, Speaker, Work]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, speaker: Speaker) -> None:
        """Send the packets of this speaker and read its socket, until `remove` is called."""
        now = time.monotonic()
        self._loop.add_reader(speaker.sock.fileno(), speaker.readable)
        for work in WORK:
            # The speakers begin at random times; otherwise all people would send at the same moment.
            at = now if work is Speaker.look else now + random.random() * FRAME_S  # noqa: S311
            heapq.heappush(self._due, (at, next(self._order), speaker, work))
        if self._timer is None:
            self._timer = self._loop.call_later(0, self._wake)

    def remove(self, speaker: Speaker) -> None:
        """Stop sending this speaker's packets and reading its socket, and close the socket."""
        self._loop.remove_reader(speaker.sock.fileno())
        speaker.close()
        self._due = [entry for entry in self._due if entry[2] is not speaker]
        heapq.heapify(self._due)

    def _wake(self) -> None:
        now, due = time.monotonic(), self._due
        while due and due[0][0] <= now:
            at, order, speaker, work = due[0]
            heapq.heapreplace(due, (max(at, now - LATE_S) + work(speaker, now), order, speaker, work))
        self._timer = self._loop.call_later(WAKE_S, self._wake) if due else None


PACERS: WeakKeyDictionary[asyncio.AbstractEventLoop, Pacer] = WeakKeyDictionary()


def pacer() -> Pacer:
    """Return the pacer (sender of packets) of the running event loop; make one if there is none."""
    loop = asyncio.get_running_loop()
    if loop not in PACERS:
        PACERS[loop] = Pacer(loop)
    return PACERS[loop]


class LightMedia:
    """The media of one person as packets without encoding; it has the methods of `web.peers.media.flow.Media`."""

    def __init__(self, changed: Callable[[], None], flow: Flow | None = None) -> None:
        self.flow = flow or Flow()
        self._notify = changed
        self._ready = asyncio.Event()
        self._on = False
        self._speaker: Speaker | None = None

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """Return the SDP answer to an SDP offer. `fresh`: True if the offer is for a new connection, with a new socket.

        Raises ValueError if the offer has no UDP candidate.
        """
        if self._speaker is None or fresh:
            await self.close()
            self._speaker = Speaker(pacer().identity, local_address(offer), self.flow, self._changed)
            self._speaker.on = self._on
            answer = self._speaker.answer(offer)
            self._speaker.udp.connect(self._speaker.remote)
            pacer().add(self._speaker)
            return answer
        return self._speaker.answer(offer)

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until packets can be sent. Raises TimeoutError after `timeout_s` seconds."""
        await until(lambda: self._speaker is not None and self._speaker.ready, self._ready, timeout_s)

    def start(self) -> None:
        """Send picture and sound from now on, instead of black and silence."""
        self._switch(on=True)

    def stop(self) -> None:
        """Send black and silence again from now on, as a browser does with camera and microphone off."""
        self._switch(on=False)

    async def close(self) -> None:
        """Close the socket of this media, and send nothing more."""
        if self._speaker is not None:
            pacer().remove(self._speaker)
            self._speaker = None

    def _switch(self, *, on: bool) -> None:
        self._on = on
        if self._speaker is not None:
            self._speaker.on = on
            self._speaker.keyframe()

    def _changed(self) -> None:
        self._ready.set()
        self._notify()


def local_address(offer: str) -> str:
    """Return the local IP address to which a socket must be bound so that it can reach the offer's first candidate.

    The result is the loopback address, or the address that means all local addresses: 0.0.0.0 for IPv4, :: for
    IPv6.
    """
    hosts = [line.split()[4] for line in offer.splitlines() if line.startswith("a=candidate:")]
    if not hosts or hosts[0].startswith("127."):
        return "127.0.0.1"
    return "::" if ":" in hosts[0] else "0.0.0.0"  # noqa: S104 - safe, because the socket is a client's
