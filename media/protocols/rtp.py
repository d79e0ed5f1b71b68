"""Finds fields of RTP packets (RFC 3550 §5.1, RFC 8285) and the start of keyframes (RFC 7741 §4, RFC 6184).

Packets come from untrusted senders. The functions that only read accept any bytes, and return 0, None or False if a
field is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from media.protocols.codecs import AUDIO_LEVEL_ID, H264, REPEATED_BY, RTX_OF, TRANSPORT_CC_ID, VP8

SSRC_AT: Final = 8
FIXED_HEADER: Final = 12
# These are types of NAL units (RFC 6184 §5.4): a slice of a keyframe, the parameters of the video, several units in one
# packet, and a part of a unit.
_IDR, _SPS, _STAP_A, _FU_A = 5, 7, 24, 28
Packet = bytes | bytearray | memoryview

_ONE_BYTE_PROFILE: Final = b"\xbe\xde"
_HEADER = Struct("!BBHII")


def payload_start(packet: Packet, length: int) -> int:
    """Return the index of the first payload byte, or 0 if the packet is shorter than its header announces."""
    if length < FIXED_HEADER:
        return 0
    start = FIXED_HEADER + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if start + 4 > length:
            return 0
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    return start if start <= length else 0


def transport_cc_at(packet: Packet, length: int) -> int:
    """Return the index of the 16-bit transport-wide sequence number in a packet of `length` bytes, or 0 if
    it has none.
    """
    return _element_at(packet, length, TRANSPORT_CC_ID, 2)


def audio_level(packet: Packet, length: int) -> int | None:
    """Return a packet's audio level in -dBov, from 0 (loudest) to 127 (silence); None if it has none (RFC 6464)."""
    at = _element_at(packet, length, AUDIO_LEVEL_ID, 1)
    return packet[at] & 0x7F if at else None


def _element_at(packet: Packet, length: int, wanted: int, size: int) -> int:
    """Return the index of an element of `size` bytes in a one-byte header extension (RFC 8285 §4.2).

    `wanted`: the element's identifier. Returns 0 if the packet has no such element.
    """
    if length < FIXED_HEADER + 4 or not packet[0] & 0x10:
        return 0
    at = FIXED_HEADER + 4 * (packet[0] & 0x0F)
    if at + 4 > length or packet[at] != 0xBE or packet[at + 1] != 0xDE:
        return 0
    end = at + 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
    if end > length:
        return 0
    at += 4
    while at < end:
        element = packet[at]
        if element == 0:  # a byte of padding between two elements
            at += 1
            continue
        identifier = element >> 4
        if identifier == 15:  # the identifier 15 ends the list of elements (RFC 8285 §4.2)
            return 0
        if identifier == wanted:
            return at + 1 if element & 0x0F == size - 1 and at + size < end else 0
        at += 2 + (element & 0x0F)
    return 0


def original_sequence_at(packet: Packet, length: int) -> int:
    """Return the index at which a retransmission has its original's sequence number (RFC 4588 §4).

    Returns 0 if the packet is only padding or malformed.
    """
    start = payload_start(packet, length)
    if not start:
        return 0
    padding = packet[length - 1] if packet[0] & 0x20 else 0
    return start if start + 2 <= length - padding else 0


def retransmission(packet: Packet, sequence: int, ssrc: int) -> bytes:
    """Return the retransmission of a well-formed video packet (RFC 4588 §4).

    `sequence`, `ssrc`: those of the retransmission, which belongs to a separate stream.
    """
    start = payload_start(packet, len(packet))
    second = packet[1] & 0x80 | RTX_OF[packet[1] & 0x7F]
    head = _HEADER.pack(packet[0], second, sequence, int.from_bytes(packet[4:8]), ssrc)
    return b"".join((head, packet[FIXED_HEADER:start], packet[2:4], packet[start:]))


def original(packet: Packet, length: int, at: int, timestamp: int, ssrc: int) -> bytes:
    """Return the video packet that a retransmission repeats, with this `timestamp` and `ssrc`.

    `at`: the index of the original's sequence number in `packet` (`original_sequence_at` returns it).
    """
    second = packet[1] & 0x80 | REPEATED_BY[packet[1] & 0x7F]
    head = _HEADER.pack(packet[0], second, packet[at] << 8 | packet[at + 1], timestamp, ssrc)
    return head + bytes(packet[FIXED_HEADER:at]) + bytes(packet[at + 2 : length])


def is_vp8_keyframe_start(packet: Packet, length: int) -> bool:
    """Return True if this packet is the first packet of a VP8 keyframe (RFC 7741 §4.2-4.3)."""
    at = payload_start(packet, length)
    if not at or at + 1 >= length:
        return False
    descriptor = packet[at]
    at += 1
    # The packet does not begin the first partition of a picture.
    if not descriptor & 0x10 or descriptor & 0x07:
        return False
    if descriptor & 0x80:
        extended = packet[at]
        at += 1
        if extended & 0x80:
            if at >= length:
                return False
            at += 2 if packet[at] & 0x80 else 1
        if extended & 0x40:
            at += 1
        if extended & 0x30:
            at += 1
    return at < length and not packet[at] & 0x01


def vp8_layer(packet: Packet, length: int) -> tuple[int, bool, int]:
    """Return (temporal layer, True if the picture needs only layer 0, index of the picture number) of a VP8 packet.

    The index is 0 if there is no picture number. A packet that names no layer belongs to layer 0 (RFC 7741 §4.2).
    """
    at = payload_start(packet, length)
    if not at or at + 1 >= length or not packet[at] & 0x80:
        return 0, False, 0
    extended, at, picture_at = packet[at + 1], at + 2, 0
    if extended & 0x80:
        if at + 1 >= length:
            return 0, False, 0
        picture_at = at
        at += 2 if packet[at] & 0x80 else 1
    if extended & 0x40:
        at += 1
    if not extended & 0x20 or at >= length:
        return 0, False, picture_at
    return packet[at] >> 6, bool(packet[at] & 0x20), picture_at


def shift_picture(packet: bytearray, at: int, shift: int) -> None:
    """Add `shift` to the picture number of a VP8 packet.

    The number has 7 or 15 bits; after its highest value it begins again at 0. `at`: the index of the picture number in
    the packet (`vp8_layer` returns it).
    """
    if packet[at] & 0x80:
        number = ((packet[at] & 0x7F) << 8 | packet[at + 1]) + shift
        packet[at], packet[at + 1] = 0x80 | number >> 8 & 0x7F, number & 0xFF
    else:
        packet[at] = (packet[at] + shift) & 0x7F


def empty(packet: bytearray) -> int:
    """Turn a packet in place into a packet with only padding and no extensions; return its length (RFC 3550 §5.1)."""
    packet[0] = 0xA0
    packet[FIXED_HEADER] = 1
    return FIXED_HEADER + 1


def is_h264_keyframe_start(packet: Packet, length: int) -> bool:
    """Return True if this packet begins an H.264 keyframe, with the video's parameters or with the first slice."""
    at = payload_start(packet, length)
    if not at or at >= length:
        return False
    kind = packet[at] & 0x1F
    if kind == _FU_A:
        return at + 1 < length and bool(packet[at + 1] & 0x80) and packet[at + 1] & 0x1F in (_IDR, _SPS)
    if kind != _STAP_A:
        return kind in (_IDR, _SPS)
    # before each unit are two bytes with its size
    at += 3
    while at < length:
        if packet[at] & 0x1F in (_IDR, _SPS):
            return True
        at += 2 + (packet[at - 2] << 8 | packet[at - 1])
    return False


KEYFRAME_START: Final[dict[int, Callable[[Packet, int], bool]]] = {
    VP8.payload_type: is_vp8_keyframe_start,
    H264.payload_type: is_h264_keyframe_start,
}


def build(
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    *,
    marker: bool = False,
    transport_cc: int | None = None,
) -> bytes:
    """Return an RTP packet with these values in its header, for load testers and tests.

    `marker`: True sets the marker bit. `transport_cc`: its transport-wide sequence number; None: the packet has none.
    """
    first, extension = 0x80, b""
    if transport_cc is not None:
        first = 0x90
        extension = _ONE_BYTE_PROFILE + bytes(
            (0, 1, TRANSPORT_CC_ID << 4 | 1, transport_cc >> 8 & 0xFF, transport_cc & 0xFF, 0)
        )
    second = payload_type | (0x80 if marker else 0)
    return _HEADER.pack(first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + extension + payload
