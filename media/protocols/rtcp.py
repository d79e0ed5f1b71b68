"""RTCP (RFC 3550 §6, RFC 4585) as it crosses from one leg to another, and the few packets the server itself
sends.

Knows compound packets, and how SSRCs, sequence numbers and timestamps of one leg read on another. Lets
through only what a call needs (an allow-list: a BYE, a CNAME or an unknown block of one side never reaches
the other). Does not know keys, sockets or clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from media.forwarding.streams import SEQUENCE_MASK, TIMESTAMP_MASK, Source

SENDER_REPORT, RECEIVER_REPORT, TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK = 200, 201, 205, 206
GENERIC_NACK, TRANSPORT_CC = 1, 15
PICTURE_LOSS, FULL_INTRA_REQUEST, APPLICATION_LAYER = 1, 4, 15
BLOCK: Final = 24

_U32 = Struct("!I")
_HEADER = Struct("!BBHI")
_SENDER_INFO = Struct("!IIIII")  # NTP seconds, NTP fraction, RTP timestamp, packets, octets
_BLOCK = Struct("!IIIIII")
_PAIR = Struct("!HH")


class RtcpError(ValueError):
    """The bytes are no RTCP compound packet."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one stream (RFC 3550 §6.4.1): loss as a share 0-1, jitter in RTP clock ticks,
    and the echo of the last sender report: the middle 32 bits of its NTP time and the delay since, in 1/65536
    s."""

    source: Source
    loss: float
    jitter: int
    last_report: int
    delay: int


@dataclass(slots=True)
class Crossing:
    """What `translate` made of a compound packet."""

    payload: bytes = b""  # for the other leg; empty when nothing may cross
    blocks: list[ReportBlock] = field(default_factory=list)
    sender_reports: list[tuple[Source, int]] = field(default_factory=list)  # middle 32 bits of the NTP time
    transport_cc_last: int | None = None  # the last transport-wide number the receiver has spoken of


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each packet of a compound as (count or format, packet type, the whole packet).

    Raises RtcpError where a length does not fit or the version is not 2.
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
        if data[at] & 0x20:  # padding, allowed on the last one: take it off
            padding = packet[-1]
            if not 0 < padding <= length - 4:
                raise RtcpError("bad padding")
            packet = packet[: length - padding]
        if len(packet) >= 8:
            yield data[at] & 0x1F, data[at + 1], packet
        at += length


def translate(
    data: bytes,
    sent: Mapping[int, Source],
    received: Mapping[int, Source],
    *,
    sender_ssrc: int,
    transport_cc_shift: int,
    answered_here: bool,
) -> Crossing:
    """A decrypted compound packet of one leg, as the other leg must read it.

    `sent` are the leg's own sources by SSRC; `received` the other's sources by the SSRC under which this leg
    hears them. `sender_ssrc` stands in for a reporter the other leg has never heard of. `transport_cc_shift`
    is what was added to the other leg's transport-wide numbers; `answered_here` says that the server gives
    that feedback itself at the moment. What concerns a source that is not forwarded does not cross. Raises
    RtcpError.
    """
    crossing = Crossing()
    out: list[bytes] = []
    for count, packet_type, packet in split(data):
        (reporter,) = _U32.unpack_from(packet, 4)
        own = sent.get(reporter)
        shown = own.sink.ssrc if own is not None and own.sink is not None else sender_ssrc
        if packet_type in (SENDER_REPORT, RECEIVER_REPORT):
            out.append(_report(packet_type, count, packet, own, shown, received, crossing))
        elif packet_type in (TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK) and len(packet) >= 12:
            (about,) = _U32.unpack_from(packet, 8)
            if packet_type == TRANSPORT_FEEDBACK and count == TRANSPORT_CC:
                if len(packet) >= 20:
                    out.append(
                        _transport_cc(packet, shown, received, transport_cc_shift, answered_here, crossing)
                    )
                continue
            if packet_type == PAYLOAD_FEEDBACK and count == FULL_INTRA_REQUEST and len(packet) >= 20:
                (about,) = _U32.unpack_from(packet, 12)  # RFC 5104 §4.3.1: the SSRC is in the entry
                count = PICTURE_LOSS
            source = received.get(about)
            if source is None or not source.forward:
                continue
            if packet_type == PAYLOAD_FEEDBACK and count == PICTURE_LOSS:
                out.append(picture_loss(shown, source.ssrc))
            elif packet_type == TRANSPORT_FEEDBACK and count == GENERIC_NACK:
                out.append(_nack(packet, shown, source))
    crossing.payload = b"".join(out)
    return crossing


def _report(
    packet_type: int,
    count: int,
    packet: bytes,
    own: Source | None,
    shown: int,
    received: Mapping[int, Source],
    crossing: Crossing,
) -> bytes:
    at, info = 8, b""
    if packet_type == SENDER_REPORT:
        if len(packet) < 28:
            raise RtcpError("sender report without sender information")
        at = 28
        if own is not None and own.forward and own.settled:
            seconds, fraction, timestamp, packets, octets = _SENDER_INFO.unpack_from(packet, 8)
            timestamp = (timestamp + own.timestamp_shift) & TIMESTAMP_MASK
            info = _SENDER_INFO.pack(seconds, fraction, timestamp, packets, octets)
            crossing.sender_reports.append((own, (seconds & 0xFFFF) << 16 | fraction >> 16))
    if at + count * BLOCK > len(packet):
        raise RtcpError("fewer report blocks than announced")
    blocks = []
    for _ in range(count):
        ssrc, lost, highest, jitter, last_report, delay = _BLOCK.unpack_from(packet, at)
        at += BLOCK
        source = received.get(ssrc)
        if source is None or not source.forward:
            continue
        highest = (highest - source.sequence_shift) & TIMESTAMP_MASK
        blocks.append(_BLOCK.pack(source.ssrc, lost, highest, jitter, last_report, delay))
        crossing.blocks.append(ReportBlock(source, (lost >> 24) / 256, jitter, last_report, delay))
    if not blocks and not info:
        return b""
    kind = SENDER_REPORT if info else RECEIVER_REPORT
    body = info + b"".join(blocks)
    return _HEADER.pack(0x80 | len(blocks), kind, 1 + len(body) // 4, shown) + body


def _transport_cc(
    packet: bytes,
    shown: int,
    received: Mapping[int, Source],
    shift: int,
    answered_here: bool,
    crossing: Crossing,
) -> bytes:
    base, statuses = _PAIR.unpack_from(packet, 12)
    crossing.transport_cc_last = (base + statuses) & SEQUENCE_MASK
    forwarded = next((source for source in received.values() if source.forward), None)
    if answered_here or forwarded is None:
        return b""
    (about,) = _U32.unpack_from(packet, 8)
    source = received.get(about, forwarded)
    rest = packet[16:]
    rest += bytes(-len(rest) % 4)
    header = _HEADER.pack(0x80 | TRANSPORT_CC, TRANSPORT_FEEDBACK, 3 + len(rest) // 4, shown)
    return header + _U32.pack(source.ssrc) + _PAIR.pack((base - shift) & SEQUENCE_MASK, statuses) + rest


def _nack(packet: bytes, shown: int, source: Source) -> bytes:
    entries = bytearray()
    for at in range(12, len(packet) - 3, 4):
        lost, mask = _PAIR.unpack_from(packet, at)
        entries += _PAIR.pack((lost - source.sequence_shift) & SEQUENCE_MASK, mask)
    if not entries:
        return b""
    header = _HEADER.pack(0x80 | GENERIC_NACK, TRANSPORT_FEEDBACK, 2 + len(entries) // 4, shown)
    return header + _U32.pack(source.ssrc) + bytes(entries)


def bitrate_limit(sender_ssrc: int, media_ssrc: int, kbps: float) -> bytes:
    """A receiver's estimated maximum bit rate (draft-alvestrand-rmcat-remb-03 §2.2): "send no more"."""
    exponent, mantissa = 0, int(kbps * 1000)
    while mantissa >= 1 << 18:
        exponent, mantissa = exponent + 1, mantissa >> 1
    header = _HEADER.pack(0x80 | APPLICATION_LAYER, PAYLOAD_FEEDBACK, 5, sender_ssrc)
    return (
        header
        + _U32.pack(0)
        + b"REMB"
        + _U32.pack(1 << 24 | exponent << 18 | mantissa)
        + _U32.pack(media_ssrc)
    )


def picture_loss(sender_ssrc: int, media_ssrc: int) -> bytes:
    """A picture loss indication: "send me a keyframe" (RFC 4585 §6.3.1)."""
    return _HEADER.pack(0x80 | PICTURE_LOSS, PAYLOAD_FEEDBACK, 2, sender_ssrc) + _U32.pack(media_ssrc)
