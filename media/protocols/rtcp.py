"""Splits and builds RTCP packets as bytes (RFC 3550 §6, RFC 4585), among them those that the server itself sends.

It uses no connection, key, socket or clock. `rtcp_translation.py` translates packets between connections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from media.errors import RtcpError

SENDER_REPORT, RECEIVER_REPORT, TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK = 200, 201, 205, 206
GENERIC_NACK, TRANSPORT_CC = 1, 15
PICTURE_LOSS, FULL_INTRA_REQUEST, APPLICATION_LAYER = 1, 4, 15
BLOCK: Final = 24
# the greatest number of lost packets that one NACK may request; a longer NACK does not fit into a datagram
REQUESTED_MAX: Final = 256

U32 = Struct("!I")
HEADER = Struct("!BBHI")
# the fields of a sender report: NTP seconds, NTP fraction, RTP timestamp, number of packets, number of octets
SENDER_INFO = Struct("!IIIII")
REPORT_BLOCK = Struct("!IIIIII")
PAIR = Struct("!HH")


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (count or format, packet type, the whole packet without padding) for each packet of a compound packet.

    Raises RtcpError if the length of a packet or of its padding is wrong, or the version is not 2.
    """
    at, end = 0, len(data)
    if end < 8:
        raise RtcpError("shorter than one packet")
    while at < end:
        if end - at < 4 or data[at] >> 6 != 2:
            raise RtcpError("no header")
        length = ((data[at + 2] << 8 | data[at + 3]) + 1) * 4
        if at + length > end:
            raise RtcpError("longer than its datagram")
        packet = data[at : at + length]
        # remove the padding, which only the last packet may have
        if data[at] & 0x20:
            padding = packet[-1]
            if not 0 < padding <= length - 4:
                raise RtcpError("bad padding")
            packet = packet[: length - padding]
        if len(packet) >= 8:
            yield data[at] & 0x1F, data[at + 1], packet
        at += length


def bitrate_limit(sender_ssrc: int, media_ssrc: int, kbps: float) -> bytes:
    """Return a REMB packet, which limits the video of a browser to `kbps` kbit/s (draft-alvestrand-rmcat-remb-03 §2.2).

    `sender_ssrc`: the SSRC of the server. `media_ssrc`: the SSRC of the limited video.
    """
    exponent, mantissa = 0, int(kbps * 1000)
    while mantissa >= 1 << 18:
        exponent, mantissa = exponent + 1, mantissa >> 1
    header = HEADER.pack(0x80 | APPLICATION_LAYER, PAYLOAD_FEEDBACK, 5, sender_ssrc)
    return (
        header + U32.pack(0) + b"REMB" + U32.pack(1 << 24 | exponent << 18 | mantissa) + U32.pack(media_ssrc)
    )


def nack(sender_ssrc: int, media_ssrc: int, numbers: Iterable[int]) -> bytes:
    """Return an RTCP packet that requests lost packets by their sequence numbers (generic NACK, RFC 4585 §6.2.1).

    `sender_ssrc`: the SSRC of the server. `media_ssrc`: the SSRC of the stream with lost packets.
    """
    entries: list[tuple[int, int]] = []
    for number in numbers:
        after = (number - entries[-1][0] - 1) & 0xFFFF if entries else 16
        if after < 16:
            entries[-1] = entries[-1][0], entries[-1][1] | 1 << after
        else:
            entries.append((number, 0))
    header = HEADER.pack(0x80 | GENERIC_NACK, TRANSPORT_FEEDBACK, 2 + len(entries), sender_ssrc)
    return header + U32.pack(media_ssrc) + b"".join(PAIR.pack(*entry) for entry in entries)


def requested(packet: bytes) -> list[int]:
    """Return the sequence numbers that a generic NACK requests, each once, at most REQUESTED_MAX."""
    numbers: dict[int, None] = {}
    for at in range(12, len(packet) - 3, 4):
        first, mask = PAIR.unpack_from(packet, at)
        numbers[first] = None
        for bit in range(16):
            if mask >> bit & 1:
                numbers[(first + 1 + bit) & 0xFFFF] = None
        if len(numbers) >= REQUESTED_MAX:
            break
    return list(numbers)[:REQUESTED_MAX]


def picture_loss(sender_ssrc: int, media_ssrc: int) -> bytes:
    """Return a picture loss indication, which requests a keyframe (RFC 4585 §6.3.1).

    `sender_ssrc`: the SSRC of the server. `media_ssrc`: the SSRC of the video.
    """
    return HEADER.pack(0x80 | PICTURE_LOSS, PAYLOAD_FEEDBACK, 2, sender_ssrc) + U32.pack(media_ssrc)
