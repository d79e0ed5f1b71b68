"""Tests the translation of RTCP, byte by byte: which packets are forwarded, with which SSRCs and sequence numbers."""

from __future__ import annotations

import re
from struct import pack
from typing import Any

import pytest

from media.errors import RtcpError
from media.forwarding.rtcp_translation import ReportBlock, Translation, translate
from media.forwarding.streams import Sink, Source
from media.protocols import rtcp
from media.protocols.codecs import StreamKind
from media.protocols.transport_cc import Arrivals, build_feedback, read_feedback

# the SSRC of the sender's stream, the SSRC with which the other party receives it, and the SSRC of the server
OWN, SHOWN_AS, SERVER = 0x0A, 0x1A, 0x99
# the SSRC of the other party's stream, and the SSRC with which the sender receives it
OTHER, SEEN_AS = 0x0B, 0x1B
NO_LEG: Any = None


def stream(kind: StreamKind, ssrc: int, seen_as: int, *, forward: bool = True) -> Source:
    """Return a source whose sequence numbers are raised by 10 and timestamps by 1000 for the receiver.

    `ssrc`: its own SSRC. `seen_as`: the SSRC at the receiver. `forward`: True if its packets are forwarded.
    """
    source = Source(kind, ssrc)
    source.sink = Sink(kind, seen_as, NO_LEG)
    source.forward = source.settled = forward
    source.sequence_shift, source.timestamp_shift = 10, 1000
    return source


def cross(
    data: bytes, *, forward: bool = True, shift: int = 5, here: bool = False
) -> tuple[Translation, Source, Source]:
    """Translate the RTCP packet `data`; return (the translation, the sender's source, the other party's
    source).

    `forward`: True if both sources are forwarded. `shift` and `here`: the arguments `transport_cc_shift` and
    `answered_here` of `translate`.
    """
    own, other = (
        stream("video", OWN, SHOWN_AS, forward=forward),
        stream("video", OTHER, SEEN_AS, forward=forward),
    )
    translation = translate(
        data,
        {OWN: own},
        {SEEN_AS: other},
        sender_ssrc=SERVER,
        transport_cc_shift=shift,
        answered_here=here,
        arrivals=Arrivals(),
    )
    return translation, own, other


def packet(kind: int, count: int, body: bytes) -> bytes:
    """Return an RTCP packet of this type. `count`: the count or format field. `body`: the bytes after
    the first four.
    """
    return pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def block(ssrc: int, highest: int = 100, *, lost: int = 0x40000003) -> bytes:
    """Return a report block about a stream: a quarter of the packets lost, jitter 7, last report 0x50006.

    The last report came 9/65536 s before. `highest`: the highest sequence number.
    """
    return pack("!IIIIII", ssrc, lost, highest, 7, 0x50006, 9)


INFO = pack("!IIIII", 0xAAAA0005, 0x0006BBBB, 0xFFFFFF00, 3, 4)


def test_a_sender_report_crosses_with_the_timestamps_of_the_other_side() -> None:
    translation, own, other = cross(packet(200, 1, pack("!I", OWN) + INFO + block(SEEN_AS)))
    info = pack("!IIIII", 0xAAAA0005, 0x0006BBBB, 0xFFFFFF00 + 1000 - (1 << 32), 3, 4)
    assert translation.payload == packet(200, 1, pack("!I", SHOWN_AS) + info + block(OTHER, 90))
    assert translation.sender_reports == [(own, 0x00050006)]
    assert translation.blocks == [ReportBlock(other, 0.25, 7, 0x50006, 9)]
    assert translation.transport_cc_last is None


def test_a_report_says_how_many_blocks_it_has() -> None:
    info = pack("!IIIII", 0xAAAA0005, 0x0006BBBB, 0xFFFFFF00 + 1000 - (1 << 32), 3, 4)
    none, _, _ = cross(packet(200, 1, pack("!I", OWN) + INFO + block(0x55)))
    assert none.payload == packet(200, 0, pack("!I", SHOWN_AS) + info)
    two, _, _ = cross(packet(201, 2, pack("!I", 0x77) + 2 * block(SEEN_AS)))
    assert two.payload == packet(201, 2, pack("!I", SERVER) + 2 * block(OTHER, 90))


def test_a_receiver_report_crosses_with_the_blocks_of_forwarded_streams_only() -> None:
    translation, _, other = cross(packet(201, 2, pack("!I", 0x77) + block(0x55) + block(SEEN_AS, 5)))
    assert translation.payload == packet(201, 1, pack("!I", SERVER) + block(OTHER, (5 - 10) & 0xFFFFFFFF))
    assert [found.source for found in translation.blocks] == [other]
    assert translation.sender_reports == []


def test_nothing_of_a_report_crosses_a_closed_gate() -> None:
    translation, _, _ = cross(packet(200, 1, pack("!I", OWN) + INFO + block(SEEN_AS)), forward=False)
    assert (translation.payload, translation.blocks, translation.sender_reports) == (b"", [], [])
    unsettled = stream("video", OWN, SHOWN_AS)
    unsettled.settled = False
    data = packet(200, 0, pack("!I", OWN) + INFO)
    found = translate(
        data,
        {OWN: unsettled},
        {},
        sender_ssrc=SERVER,
        transport_cc_shift=0,
        answered_here=False,
        arrivals=Arrivals(),
    )
    assert found.payload == b"", "its timestamps are not known yet"


def test_a_sender_without_a_stream_of_its_own_reports_as_a_receiver() -> None:
    translation, _, _ = cross(packet(200, 1, pack("!I", 0x77) + INFO + block(SEEN_AS)))
    assert translation.payload == packet(201, 1, pack("!I", SERVER) + block(OTHER, 90))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (packet(200, 0, pack("!I", OWN) + INFO[:-4]), "sender information"),
        (packet(200, 1, pack("!I", OWN) + INFO + block(SEEN_AS)[:-4]), "fewer report blocks"),
        (packet(201, 2, pack("!I", OWN) + block(SEEN_AS)), "fewer report blocks"),
    ],
)
def test_a_report_shorter_than_it_says_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RtcpError, match=re.escape(why)):
        cross(data)


def test_a_request_for_a_keyframe_crosses_in_either_form() -> None:
    for asking in (
        packet(206, 1, pack("!II", OWN, SEEN_AS)),
        packet(206, 4, pack("!IIII", OWN, 0, SEEN_AS, 0x01000000)),
        packet(206, 1, pack("!II", 0x77, SEEN_AS)),
    ):
        translation = cross(asking)[0]
        assert [source.ssrc for source in translation.keyframes] == [OTHER]
        assert translation.payload == b"", "the server asks itself"
    assert cross(packet(206, 4, pack("!III", OWN, SEEN_AS, SEEN_AS)))[0].keyframes == [], "without an entry"


@pytest.mark.parametrize(
    "data",
    [
        packet(206, 1, pack("!II", OWN, 0x55)),  # feedback about an unknown stream
        packet(206, 1, pack("!I", OWN)),  # feedback about no stream
        packet(206, 15, pack("!II", OWN, SEEN_AS) + b"REMB"),  # feedback of a kind that is not known
        packet(205, 4, pack("!III", OWN, SEEN_AS, 0)),
        packet(205, 3, pack("!IIII", OWN, SEEN_AS, 0, 0)),
        packet(206, 2, pack("!IIII", OWN, SEEN_AS, 0, 0)),
        # a request to send packets again (NACK) that names no packet
        packet(205, 1, pack("!II", OWN, SEEN_AS)),
        packet(203, 1, pack("!I", OWN)),  # a BYE packet
        packet(202, 1, pack("!I", OWN) + b"\x01\x04name\x00\x00"),  # the name of a source (SDES)
        packet(207, 0, pack("!III", OWN, 0, 0)),  # extended reports (XR)
    ],
)
def test_what_a_call_does_not_need_does_not_cross(data: bytes) -> None:
    assert cross(data)[0].payload == b""


def test_feedback_on_what_is_not_forwarded_does_not_cross() -> None:
    for data in (
        packet(206, 1, pack("!II", OWN, SEEN_AS)),
        packet(205, 1, pack("!IIHH", OWN, SEEN_AS, 7, 1)),
    ):
        assert cross(data, forward=False)[0].payload == b""


def test_a_request_for_lost_packets_is_read_and_not_passed_on() -> None:
    request = packet(205, 1, pack("!IIHHHH", OWN, SEEN_AS, 7, 0x8001, 500, 2))
    translation, _, other = cross(request)
    assert (translation.payload, translation.requested) == (b"", [(other, [7, 8, 23, 500, 502])])
    assert cross(request, forward=False)[0].requested == []


def test_transport_feedback_crosses_in_the_others_numbers() -> None:
    rest = b"\x00\x00\x01\x07\x20\x01\x04\x00"
    translation, _, _ = cross(packet(205, 15, pack("!IIHH", OWN, SEEN_AS, 3, 2) + rest))
    assert translation.payload == packet(205, 15, pack("!IIHH", SHOWN_AS, OTHER, 65_534, 2) + rest)
    assert translation.transport_cc_last == 5
    about_unknown, _, _ = cross(packet(205, 15, pack("!IIHH", OWN, 0x55, 0xFFFF, 2) + rest))
    assert about_unknown.payload == packet(205, 15, pack("!IIHH", SHOWN_AS, OTHER, 0xFFFA, 2) + rest)
    assert about_unknown.transport_cc_last == 1
    padded = packet(205, 15, pack("!IIHH", OWN, SEEN_AS, 9, 2) + rest[:5] + b"\0\0\x03")
    assert cross(bytes((padded[0] | 0x20,)) + padded[1:])[0].payload == packet(
        205, 15, pack("!IIHH", SHOWN_AS, OTHER, 4, 2) + rest[:5] + bytes(3)
    )


def test_lost_packets_are_left_out_of_transport_feedback() -> None:
    seen = [(number, 1_000 * number) for number in (7, 8, 10, 11, 12, 15)]
    data = build_feedback(seen, 0, OWN, SEEN_AS)
    translation, _, _ = cross(data)
    pieces = [split for _, _, split in rtcp.split(translation.payload)]
    assert [piece[4:12] for piece in pieces] == [pack("!II", SHOWN_AS, OTHER)] * 3
    assert [piece[19] for piece in pieces] == [0, 1, 2]
    found = [read_feedback(piece) for piece in pieces]
    assert [[number + 5 for number, _ in piece] for piece, _ in found] == [[7, 8], [10, 11, 12], [15]]
    assert [lost for _, lost in found] == [0, 0, 0]
    moments = [at_us for piece, _ in found for _, at_us in piece]
    assert [moment - moments[0] for moment in moments] == [at_us - seen[0][1] for _, at_us in seen]
    assert translation.transport_cc_last == 16


def test_feedback_without_a_loss_lowers_the_share_of_losses() -> None:
    arrivals, other = Arrivals(), stream("video", OTHER, SEEN_AS)
    arrivals.losses.observe(10, 90)
    before = arrivals.losses.share
    translate(
        build_feedback([(7, 0), (8, 0)], 0, OWN, SEEN_AS),
        {},
        {SEEN_AS: other},
        sender_ssrc=SERVER,
        transport_cc_shift=0,
        answered_here=False,
        arrivals=arrivals,
    )
    assert arrivals.losses.share == pytest.approx(before * 0.99**2)


def test_transport_feedback_without_any_arrival_crosses_as_it_is() -> None:
    data = packet(205, 15, pack("!IIHH", OWN, SEEN_AS, 3, 2) + b"\x00\x00\x01\x07\x00\x02\x00\x00")
    assert cross(data)[0].payload[12:] == pack("!HH", 65_534, 2) + data[16:]


def test_transport_feedback_that_the_server_answers_itself_is_only_read() -> None:
    data = packet(205, 15, pack("!IIHH", OWN, SEEN_AS, 3, 2) + bytes(4))
    for translation in (cross(data, here=True)[0], cross(data, forward=False)[0]):
        assert (translation.payload, translation.transport_cc_last) == (b"", 5)
    short = cross(packet(205, 15, pack("!IIHH", OWN, SEEN_AS, 3, 2)))[0]
    assert (short.payload, short.transport_cc_last) == (b"", None)


def test_a_compound_crosses_in_its_order() -> None:
    report, loss = packet(201, 1, pack("!I", OWN) + block(SEEN_AS)), packet(206, 1, pack("!II", OWN, SEEN_AS))
    goodbye = packet(203, 1, pack("!I", OWN))
    assert cross(report + goodbye + loss)[0].payload == cross(report)[0].payload + cross(loss)[0].payload
