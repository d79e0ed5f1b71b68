"""Plays the parties of a call on other servers: they offer or answer as a browser does, and send the same media as on
our server.

Servers that decode get a clip of real VP8 and Opus instead of random bytes. Sizes and rates are those of
`tests/benchmarks/packets.py`.
"""

import fractions
import itertools
import random
from struct import Struct

import av
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder

from media.peers.raw import ReceivedPacket
from media.peers.raw_caller import RawCaller
from media.protocols import rtp
from media.protocols.codecs import OPUS, VP8
from media.transport.dtls import Identity
from tests.benchmarks.packets import FRAMES_PER_S, Speaker

# (packet type, format) of a Picture Loss Indication, the request for a keyframe (RFC 4585 §6.3.1)
PLI = (206, 1)
ASK_AGAIN_NS = 100_000_000
_PLI = Struct("!BBHII")
KEYFRAME_BIT = 0x01
BITRATE = 1_000_000
WIDTH, HEIGHT = 640, 480


class Clip:
    """One second of a moving picture and of sound, as the payloads of packets, which are sent again and again. The
    first frame is a keyframe.
    """

    def __init__(self) -> None:
        chance = random.Random(1)
        encoder = Vp8Encoder()
        encoder.target_bitrate = BITRATE
        self.frames: list[list[bytes]] = []
        for number in range(FRAMES_PER_S):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for plane in frame.planes:
                moving = bytes(chance.choices(range(96, 128), k=plane.buffer_size - 64 * number))
                plane.update(moving + bytes(64 * number))
            frame.pts, frame.time_base = number * 3000, fractions.Fraction(1, 90_000)
            payloads, _ = encoder.encode(frame, force_keyframe=number == 0)
            self.frames.append(payloads)
        opus = OpusEncoder()
        self.sounds: list[bytes] = []
        for number in range(50):
            heard = av.AudioFrame(format="s16", layout="stereo", samples=960)
            heard.planes[0].update(chance.randbytes(heard.planes[0].buffer_size))
            heard.sample_rate, heard.pts, heard.time_base = (
                48_000,
                number * 960,
                fractions.Fraction(1, 48_000),
            )
            self.sounds += opus.encode(heard)[0]


class Party(RawCaller, Speaker):
    """One party of a call. It sends nothing before it is connected; then its first video frame is a keyframe."""

    def __init__(self, identity: Identity, clip: Clip | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(identity, host)
        self.first_ns = 0
        self._asked_ns = 0
        self._clip = clip
        self._shown = itertools.count()
        self._sounded = itertools.count()

    def frame(self, at_s: float) -> None:
        """Send one video frame, if connected. `at_s`: the time that its timestamp gets."""
        if not self.ready:
            return
        if self._clip is None:
            super().frame(at_s)
            return
        payloads = self._clip.frames[next(self._shown) % len(self._clip.frames)]
        for place, payload in enumerate(payloads):
            last = place == len(payloads) - 1
            self.send_rtp(
                rtp.build(
                    VP8.payload_type,
                    next(self._sequence),
                    int(at_s * VP8.clock_rate),
                    self.video_ssrc,
                    payload,
                    marker=last,
                )
            )

    def sound(self, at_s: float) -> None:
        """Send 20 ms of audio, if connected. `at_s`: the time that its timestamp gets."""
        if not self.ready:
            return
        if self._clip is None:
            super().sound(at_s)
            return
        payload = self._clip.sounds[next(self._sounded) % len(self._clip.sounds)]
        sequence = next(self._audio_sequence)
        self.send_rtp(
            rtp.build(OPUS.payload_type, sequence, int(at_s * OPUS.clock_rate), self.audio_ssrc, payload)
        )

    def report(self) -> None:
        """Send a sender report, if connected."""
        if self.ready:
            super().report()

    def await_picture(self) -> None:
        """Send a keyframe if the other side requests one; store the time at which the next keyframe arrives as
        `first_ns`.
        """
        self.first_ns = 0
        self.on_rtp, self.on_rtcp = self._seen, self._asked

    def _seen(self, packet: ReceivedPacket) -> None:
        if self.first_ns or packet.payload_type != VP8.payload_type:
            return
        if is_keyframe(packet.payload):
            self.first_ns = packet.received_ns
        elif (
            packet.received_ns - self._asked_ns > ASK_AGAIN_NS
        ):  # a browser requests a keyframe in this way if it cannot decode a frame
            self._asked_ns = packet.received_ns
            self.send_rtcp(_PLI.pack(0x80 | PLI[1], PLI[0], 2, self.video_ssrc, packet.ssrc))

    def _asked(self, count: int, packet_type: int, packet: bytes) -> None:
        if (packet_type, count) == PLI:
            self._frames = 0
            self._shown = itertools.count()


def is_keyframe(payload: bytes) -> bool:
    """Return True if a VP8 payload is the beginning of a keyframe (RFC 7741 §4.2, §4.3)."""
    if not payload or not payload[0] & 0x10 or payload[0] & 0x07:
        return False
    at = 1
    if payload[0] & 0x80 and len(payload) > 1:
        extensions, at = payload[1], 2
        if extensions & 0x80:
            at += 2 if len(payload) > at and payload[at] & 0x80 else 1
        at += bool(extensions & 0x40) + bool(extensions & 0x30)
    return len(payload) > at and not payload[at] & KEYFRAME_BIT
