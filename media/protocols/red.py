"""Redundant sound (RED, RFC 2198): a packet repeats the sound of earlier packets, so that a lost packet does no harm.

Packets come from untrusted senders: the functions that read packets accept any bytes. Does no I/O and reads no clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from media.protocols.codecs import OPUS, RED
from media.protocols.rtp import payload_start

# the greatest number of earlier payloads in one packet; browsers send one or two
BLOCKS_MAX: Final = 8
# the greatest age of an earlier payload, in units of the RTP clock; the field has 14 bits
AGE_MAX: Final = 0x3FFF
# the greatest size of an earlier payload, in bytes; the field has 10 bits
SIZE_MAX: Final = 0x3FF
# The greatest length in bytes of a packet that `wrap` makes; a longer packet would be too long for some networks.
WRAPPED_MAX: Final = 1200
_FOLLOWS: Final = 0x80
_PADDED: Final = 0x20


class Block(NamedTuple):
    """The position of one payload in a RED packet.

    `age`: in units of the RTP clock, 0 for the packet's own payload. `at`: the index of the payload's first byte in the
    packet. `size`: in bytes.
    """

    payload_type: int
    age: int
    at: int
    size: int


def blocks(packet: bytes | bytearray, length: int) -> list[Block]:
    """Return the payloads of a RED packet of `length` bytes, from the oldest to the packet's own; [] if it is
    malformed.
    """
    at = payload_start(packet, length)
    padding = packet[length - 1] if at and packet[0] & _PADDED else 0
    end = length - padding
    announced: list[tuple[int, int, int]] = []
    while at and at < end:
        first = packet[at]
        if not first & _FOLLOWS:
            return _place(announced, first, at + 1, end)
        if at + 4 > end or len(announced) == BLOCKS_MAX:
            return []
        fields = packet[at + 1] << 16 | packet[at + 2] << 8 | packet[at + 3]
        announced.append((first & 0x7F, fields >> 10, fields & SIZE_MAX))
        at += 4
    return []


def _place(announced: list[tuple[int, int, int]], own: int, at: int, end: int) -> list[Block]:
    found = []
    for payload_type, age, size in announced:
        found.append(Block(payload_type, age, at, size))
        at += size
    if at > end:
        return []
    found.append(Block(own, 0, at, end - at))
    return found


def build(own: bytes | bytearray, earlier: list[tuple[int, bytes]]) -> bytes:
    """Return the payload of a RED packet with Opus sound. `own`: the newest payload.

    `earlier`: pairs (age in units of the RTP clock, payload), the oldest first. An age is at most AGE_MAX, a payload
    has at most SIZE_MAX bytes.
    """
    head = bytearray()
    for age, payload in earlier:
        head.append(_FOLLOWS | OPUS.payload_type)
        head += (age << 10 | len(payload)).to_bytes(3, "big")
    head.append(OPUS.payload_type)
    return bytes(head) + b"".join(payload for _, payload in earlier) + own


def keep_newer(packet: bytearray, length: int, age_max: int) -> int:
    """Remove from a RED packet, in place, the payloads that are older than `age_max`, in units of the RTP clock.

    Returns the packet's new length, 0 if it is malformed.
    """
    found = blocks(packet, length)
    kept = [
        (block.age, bytes(packet[block.at : block.at + block.size]))
        for block in found[:-1]
        if 0 < block.age <= age_max and block.payload_type == OPUS.payload_type
    ]
    return _replace(packet, length, RED.payload_type, build(_own(packet, found), kept)) if _opus(found) else 0


def unwrap(packet: bytearray, length: int) -> int:
    """Replace a RED packet of `length` bytes by a plain Opus packet, in place; return the new length, 0 if it is
    malformed.
    """
    found = blocks(packet, length)
    return _replace(packet, length, OPUS.payload_type, _own(packet, found)) if _opus(found) else 0


def payload(packet: bytearray, length: int) -> bytes:
    """Return the payload of a plain Opus packet of `length` bytes, without padding."""
    padding = packet[length - 1] if packet[0] & _PADDED else 0
    return bytes(packet[payload_start(packet, length) or length : max(0, length - padding)])


def wrap(packet: bytearray, length: int, age: int, earlier: bytes) -> int:
    """Replace a plain Opus packet by a RED packet that also contains `earlier`, in place; return the new length.

    `age`: the age of `earlier` in units of the RTP clock. The packet is unchanged if it would become too long, or if
    `earlier` is too old or too long.
    """
    start = payload_start(packet, length)
    fits = 0 < age <= AGE_MAX and len(earlier) <= SIZE_MAX
    whole = build(payload(packet, length), [(age, earlier)]) if fits else b""
    if not start or not whole or start + len(whole) > WRAPPED_MAX:
        return length
    return _replace(packet, length, RED.payload_type, whole)


def _opus(found: list[Block]) -> bool:
    return bool(found) and found[-1].payload_type == OPUS.payload_type


def _own(packet: bytearray, found: list[Block]) -> bytes:
    return bytes(packet[found[-1].at : found[-1].at + found[-1].size])


def _replace(packet: bytearray, length: int, payload_type: int, payload: bytes) -> int:
    """Replace the payload and the payload type of a packet of `length` bytes, in place; return its new length.

    The bytearray `packet` must have enough bytes for the new payload.
    """
    start = payload_start(packet, length)
    packet[0] &= ~_PADDED & 0xFF
    packet[1] = packet[1] & 0x80 | payload_type
    packet[start : start + len(payload)] = payload
    return start + len(payload)
