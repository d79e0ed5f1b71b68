"""Translates RTCP (RFC 3550 §6, RFC 4585) that one browser has sent, so that another browser can receive it.

The SSRCs, sequence numbers and timestamps that the sender knows are replaced by those that the receiver knows. Only the
blocks that a call needs are forwarded: a BYE, a CNAME or an unknown block never reaches the receiver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from media.errors import RtcpError
from media.forwarding.streams import SEQUENCE_MASK, TIMESTAMP_MASK, Source
from media.protocols.rtcp import (
    BLOCK,
    FULL_INTRA_REQUEST,
    GENERIC_NACK,
    HEADER,
    PAIR,
    PAYLOAD_FEEDBACK,
    PICTURE_LOSS,
    RECEIVER_REPORT,
    REPORT_BLOCK,
    SENDER_INFO,
    SENDER_REPORT,
    TRANSPORT_CC,
    TRANSPORT_FEEDBACK,
    U32,
    requested,
    split,
)
from media.protocols.transport_cc import Arrivals, is_whole, read_feedback


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """A receiver's report on one stream (RFC 3550 §6.4.1).

    `loss`: the share (0 to 1) of lost packets. `jitter`: in units of the RTP clock. `last_report`: the middle 32 bits
    of the NTP time in the sender report that was received last. `delay`: the time since that report, in 1/65536 s.
    """

    source: Source
    loss: float
    jitter: int
    last_report: int
    delay: int


@dataclass(slots=True)
class Translation:
    """The result of `translate` for one compound packet: the packet for the other browser, and what the original
    packet contains.
    """

    payload: bytes = b""  # the packet for the other browser; empty if nothing is forwarded
    blocks: list[ReportBlock] = field(default_factory=list)
    # for each forwarded sender report: its source, and the middle 32 bits of its NTP time
    sender_reports: list[tuple[Source, int]] = field(default_factory=list)
    requested: list[tuple[Source, list[int]]] = field(
        default_factory=list
        # `requested`: each source with the sequence numbers, as the receiver knows them, of the packets that the
        # receiver requests again (NACK)
    )
    # the video sources of which the receiver requests a keyframe
    keyframes: list[Source] = field(default_factory=list)
    # the newest transport-wide sequence number that the receiver has reported; None: it reported none
    transport_cc_last: int | None = None


def translate(
    data: bytes,
    sent: Mapping[int, Source],
    received: Mapping[int, Source],
    *,
    sender_ssrc: int,
    transport_cc_shift: int,
    answered_here: bool,
    arrivals: Arrivals,
) -> Translation:
    """Translate a decrypted compound packet of one browser for another browser; return it and what it contains.

    `sent`: the sources of the packet's sender, by SSRC. `received`: the other side's sources, by the SSRC
    under which the packet's sender receives them. `sender_ssrc`: written as the sender of a report, if the
    other side receives no stream from the real sender. `transport_cc_shift`: the number that was added to the
    other side's transport-wide numbers. `answered_here`: True if the server sends transport-cc feedback
    itself; then the translated reports show no loss. `arrivals`: makes new transport-cc feedback if the
    feedback in `data` reports lost packets. Reports on sources that are not forwarded are dropped. Raises
    RtcpError if the packet is malformed.
    """
    translation = Translation()
    out: list[bytes] = []
    for count, packet_type, packet in split(data):
        (reporter,) = U32.unpack_from(packet, 4)
        own = sent.get(reporter)
        shown = own.sink.ssrc if own is not None and own.sink is not None else sender_ssrc
        if packet_type in (SENDER_REPORT, RECEIVER_REPORT):
            out.append(_report(packet_type, count, packet, own, shown, received, answered_here, translation))
        elif packet_type in (TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK) and len(packet) >= 12:
            (about,) = U32.unpack_from(packet, 8)
            if packet_type == TRANSPORT_FEEDBACK and count == TRANSPORT_CC:
                if len(packet) >= 20:
                    out.append(
                        _transport_cc(
                            packet, shown, received, transport_cc_shift, answered_here, arrivals, translation
                        )
                    )
                continue
            if packet_type == PAYLOAD_FEEDBACK and count == FULL_INTRA_REQUEST and len(packet) >= 20:
                # In a full intra request, the SSRC of the video comes after the header (RFC 5104 §4.3.1).
                (about,) = U32.unpack_from(packet, 12)
                count = PICTURE_LOSS
            source = received.get(about)
            if source is None or not source.forward:
                continue
            if packet_type == PAYLOAD_FEEDBACK and count == PICTURE_LOSS:
                translation.keyframes.append(source)
            elif packet_type == TRANSPORT_FEEDBACK and count == GENERIC_NACK:
                translation.requested.append((source, requested(packet)))
    translation.payload = b"".join(out)
    return translation


def _report(
    packet_type: int,
    count: int,
    packet: bytes,
    own: Source | None,
    shown: int,
    received: Mapping[int, Source],
    answered_here: bool,
    translation: Translation,
) -> bytes:
    at, info = 8, b""
    if packet_type == SENDER_REPORT:
        if len(packet) < 28:
            raise RtcpError("sender report without sender information")
        at = 28
        if own is not None and own.forward and own.settled:
            seconds, fraction, timestamp, packets, octets = SENDER_INFO.unpack_from(packet, 8)
            timestamp = (timestamp + own.timestamp_shift) & TIMESTAMP_MASK
            info = SENDER_INFO.pack(seconds, fraction, timestamp, packets, octets)
            translation.sender_reports.append((own, (seconds & 0xFFFF) << 16 | fraction >> 16))
    if at + count * BLOCK > len(packet):
        raise RtcpError("fewer report blocks than announced")
    blocks = []
    for _ in range(count):
        ssrc, lost, highest, jitter, last_report, delay = REPORT_BLOCK.unpack_from(packet, at)
        at += BLOCK
        source = received.get(ssrc)
        if source is None or not source.forward:
            continue
        highest = (highest - source.sequence_shift) & TIMESTAMP_MASK
        # The server's own feedback replaces the receiver's. In a room of more than two parties, a loss
        # between the server and this receiver would otherwise lower the sender's bit rate for the other
        # receivers too.
        shown_lost = 0 if answered_here else lost
        blocks.append(REPORT_BLOCK.pack(source.ssrc, shown_lost, highest, jitter, last_report, delay))
        translation.blocks.append(ReportBlock(source, (lost >> 24) / 256, jitter, last_report, delay))
    if not blocks and not info:
        return b""
    kind = SENDER_REPORT if info else RECEIVER_REPORT
    body = info + b"".join(blocks)
    return HEADER.pack(0x80 | len(blocks), kind, 1 + len(body) // 4, shown) + body


def _transport_cc(
    packet: bytes,
    shown: int,
    received: Mapping[int, Source],
    shift: int,
    answered_here: bool,
    arrivals: Arrivals,
    translation: Translation,
) -> bytes:
    base, statuses = PAIR.unpack_from(packet, 12)
    translation.transport_cc_last = (base + statuses) & SEQUENCE_MASK
    forwarded = next((source for source in received.values() if source.forward), None)
    if answered_here or forwarded is None:
        return b""
    (about,) = U32.unpack_from(packet, 8)
    source = received.get(about, forwarded)
    seen, lost = (None, 0) if is_whole(packet) else read_feedback(packet)
    if not lost:
        arrivals.losses.observe(statuses, 0)
    elif seen:
        own = [((number - shift) & SEQUENCE_MASK, at_us) for number, at_us in seen]
        return arrivals.describe(own, shown, source.ssrc)
    rest = packet[16:]
    rest += bytes(-len(rest) % 4)
    header = HEADER.pack(0x80 | TRANSPORT_CC, TRANSPORT_FEEDBACK, 3 + len(rest) // 4, shown)
    return header + U32.pack(source.ssrc) + PAIR.pack((base - shift) & SEQUENCE_MASK, statuses) + rest
