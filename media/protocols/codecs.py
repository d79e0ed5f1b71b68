"""The payload types, header extensions and codecs that the server offers on every connection.

SDP, RTP and RTCP share this one table. The server makes all offers, so a payload type has the same meaning on every
connection, and need not be translated between two connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["audio", "video"]
StreamKind = Literal["audio", "video", "rtx"]

KINDS: Final[tuple[Kind, ...]] = ("audio", "video")
STREAM_KINDS: Final[tuple[StreamKind, ...]] = ("audio", "video", "rtx")


@dataclass(frozen=True, slots=True)
class Codec:
    """One RTP payload type.

    `encoding`: the codec's name. `clock_rate`: in Hz. `parameters`, `feedback`: the values of its `a=fmtp` and
    `a=rtcp-fb` lines in SDP. `stream`: the kind of media, where "rtx" is retransmitted video.
    """

    payload_type: int
    stream: StreamKind
    encoding: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def media(self) -> Kind:
        """Return the kind of the m-line to which the payload type belongs.

        Retransmissions (RFC 4588) belong to video.
        """
        return "audio" if self.stream == "audio" else "video"

    @property
    def rtpmap(self) -> str:
        """Return the value of the codec's `a=rtpmap` line in SDP (RFC 8866 §6.6)."""
        return f"{self.encoding}/{self.clock_rate}" + (f"/{self.channels}" if self.channels > 1 else "")


# In RED (RFC 2198), each packet repeats the previous sound. It is listed first, so that a browser that supports it uses
# it.
RED: Final = Codec(63, "audio", "red", 48_000, 2, "111/111")
OPUS: Final = Codec(
    111, "audio", "opus", 48_000, 2, "minptime=10;useinbandfec=1;usedtx=1", feedback=("nack", "transport-cc")
)
# Chromium starts its bandwidth estimate at 300 kbit/s, and would then need 100 ms for the first keyframe. The estimate
# does not grow while only black frames are sent, so the offer names a higher start. If the network cannot carry that
# rate, the estimate falls within a second.
START_KBPS: Final = 1000

VP8: Final = Codec(
    96,
    "video",
    "VP8",
    90_000,
    parameters=f"x-google-start-bitrate={START_KBPS}",
    feedback=("nack", "nack pli", "ccm fir", "transport-cc"),
)
VP8_RTX: Final = Codec(97, "rtx", "rtx", 90_000, parameters="apt=96")
# The profile is constrained baseline, level 3.1, because every phone can encode it in hardware.
H264: Final = Codec(
    102,
    "video",
    "H264",
    90_000,
    parameters="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;"
    f"x-google-start-bitrate={START_KBPS}",
    feedback=VP8.feedback,
)
H264_RTX: Final = Codec(103, "rtx", "rtx", 90_000, parameters="apt=102")

CODECS: Final[tuple[Codec, ...]] = (RED, OPUS, VP8, VP8_RTX, H264, H264_RTX)
BY_PAYLOAD_TYPE: Final[dict[int, Codec]] = {codec.payload_type: codec for codec in CODECS}
BY_STREAM: Final[dict[StreamKind, Codec]] = {codec.stream: codec for codec in (OPUS, VP8, VP8_RTX)}
# kind of a stream -> the payload types between which a stream of this kind may change without a new offer
TYPES: Final[dict[StreamKind, frozenset[int]]] = {
    stream: frozenset(codec.payload_type for codec in CODECS if codec.stream == stream)
    for stream in STREAM_KINDS
}
H264_TYPES: Final = frozenset({H264.payload_type, H264_RTX.payload_type})
RTX_OF: Final = {VP8.payload_type: VP8_RTX.payload_type, H264.payload_type: H264_RTX.payload_type}
REPEATED_BY: Final = {rtx: original for original, rtx in RTX_OF.items()}

AUDIO_LEVEL_ID: Final = 1
ABS_SEND_TIME_ID: Final = 2
TRANSPORT_CC_ID: Final = 3
EXTENSIONS: Final[dict[int, str]] = {
    ABS_SEND_TIME_ID: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    TRANSPORT_CC_ID: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
}
# The header extensions that are offered only in rooms of more than two parties, where the audio level (RFC 6464) shows
# which party speaks.
GROUP_EXTENSIONS: Final[dict[int, str]] = {AUDIO_LEVEL_ID: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}
