"""Tests that every parser can get any bytes: it ignores them, or raises one of its own errors."""

from __future__ import annotations

import contextlib
import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st

from media.errors import DtlsError, RtcpError, SdpError
from media.forwarding.endpoint import Endpoint
from media.forwarding.rtcp_translation import translate
from media.protocols import ice, rtcp, rtp, sdp
from media.protocols.ice import Candidate, Credentials
from media.protocols.sdp import Fingerprint
from media.protocols.transport_cc import build_feedback, is_whole, read_feedback
from media.transport.dtls import Association, Identity, datagrams, is_record

IDENTITY = Identity(0.0)
OFFER = sdp.offer(
    Credentials("ufrag1", "password-password-password"),
    IDENTITY.fingerprint,
    [Candidate("127.0.0.1", 9)],
    {"audio": 1, "video": 2, "rtx": 3},
    session_id=1,
    version=1,
)
ANSWER = OFFER.replace("actpass", "active")
anything = st.binary(max_size=600)


@given(st.text(max_size=2000))
@example("")
@example("v=0")
@example(ANSWER)
@example(ANSWER.replace("a=ssrc:1 ", "a=ssrc:99999999999 "))
def test_any_text_is_an_answer_or_a_typed_error(text: str) -> None:
    with contextlib.suppress(SdpError):
        sdp.parse_answer(text)


@given(st.lists(st.tuples(st.integers(0, 60), st.text(max_size=40)), max_size=5))
def test_an_answer_with_lines_replaced_is_an_answer_or_a_typed_error(changes: list[tuple[int, str]]) -> None:
    lines = ANSWER.split("\r\n")
    for place, text in changes:
        place %= len(lines)
        lines[place] = lines[place][: len(text) % 12] + text
    with contextlib.suppress(SdpError):
        sdp.parse_answer("\r\n".join(lines))


@given(anything)
def test_any_bytes_are_a_request_to_this_server_or_ignored(data: bytes) -> None:
    header = b"\x00\x01" + len(data).to_bytes(2, "big") + bytes.fromhex("2112a442") + bytes(12)
    for datagram in (data, header + data):
        ice.local_ufrag(datagram)
        assert ice.check(datagram, "password") is None


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=8))
def test_any_attributes_are_taken_or_ignored(attributes: list[tuple[int, bytes]]) -> None:
    body = b"".join(
        struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4) for kind, value in attributes
    )
    datagram = b"\x00\x01" + struct.pack("!H", len(body)) + bytes.fromhex("2112a442") + bytes(12) + body
    ice.local_ufrag(datagram)
    assert ice.check(datagram, "password") is None


@given(anything)
def test_any_bytes_have_rtp_offsets_inside_or_none(data: bytes) -> None:
    for packet in (data, b"\x90\x60" + data, b"\xbf\xe0" + data):
        assert 0 <= rtp.payload_start(packet, len(packet)) <= len(packet)
        at = rtp.transport_cc_at(packet, len(packet))
        assert at == 0 or at + 2 <= len(packet)
        assert 0 <= (rtp.audio_level(packet, len(packet)) or 0) <= 127
        at = rtp.original_sequence_at(packet, len(packet))
        assert at == 0 or at + 2 <= len(packet)
        for starts in rtp.KEYFRAME_START.values():
            assert starts(packet, len(packet)) == starts(packet + data, len(packet)), (
                "what lies behind is read"
            )
        layer, _, at = rtp.vp8_layer(packet, len(packet))
        assert 0 <= layer <= 3
        assert at == 0 or at + 2 <= len(packet)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 31), st.integers(192, 223), st.binary(max_size=80)), max_size=4),
    anything,
)
def test_any_rtcp_crosses_whole_or_not(packets: list[tuple[int, int, bytes]], tail: bytes) -> None:
    a, _b = _endpoints()
    compound = b""
    for count, kind, body in packets:
        body += bytes(-len(body) % 4)
        # Some of the random RTCP packets get the SSRC of a source that exists.
        body = body.replace(b"\x00\x00\x00\x01", struct.pack("!I", a.sinks["video"].ssrc))
        compound += struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
    for data in (compound, compound + tail, tail):
        with contextlib.suppress(RtcpError):
            translation = translate(
                data,
                a.sources,
                a.received,
                sender_ssrc=7,
                transport_cc_shift=3,
                answered_here=False,
                arrivals=a.arrivals,
            )
            if translation.payload:
                kinds = {kind for _, kind, _ in rtcp.split(translation.payload)}
                assert kinds <= {200, 201, 205, 206}


def _endpoints() -> tuple[Endpoint, Endpoint]:
    a, b = Endpoint({"audio": 1, "video": 2, "rtx": 3}), Endpoint({"audio": 4, "video": 5, "rtx": 6})
    for endpoint in (a, b):
        endpoint.tx, endpoint.address = object(), ("127.0.0.1", 1)
        endpoint.learn(10, "audio")
        endpoint.learn(11, "video")
    a.route(b, True)
    b.route(a, True)
    for endpoint in (a, b):
        for source in endpoint.current.values():
            source.settle(1, 1, 0.0)
    return a, b


@given(st.lists(anything, max_size=5))
def test_no_random_bytes_complete_a_handshake(flights: list[bytes]) -> None:
    sent: list[bytes] = []
    association = Association(IDENTITY, sent.append)
    with contextlib.suppress(DtlsError):
        for data in flights:
            record = b"\x16\xfe\xfd" + bytes(8) + len(data).to_bytes(2, "big") + data
            association.feed(data)
            association.feed(record)
    assert association.established is None
    assert sum(map(len, sent)) < 1200


@given(anything)
def test_datagrams_of_a_flight_lose_nothing(flight: bytes) -> None:
    assert b"".join(datagrams(flight)) == flight
    is_record(flight)


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 1 << 40)), min_size=1, max_size=400),
    st.integers(0, 255),
)
def test_feedback_for_any_arrivals_is_one_rtcp_packet_that_fits(
    seen: list[tuple[int, int]], count: int
) -> None:
    packet = build_feedback(seen, count, 1, 2)
    assert len(packet) <= 1600
    assert [kind for _, kind, _ in rtcp.split(packet)] == [205]


@given(anything)
def test_any_bytes_are_feedback_or_not(data: bytes) -> None:
    for packet in (bytes(20) + data, bytes(12) + data + bytes(8)):
        is_whole(packet)
        seen, lost = read_feedback(packet)
        assert len(seen) <= len(packet)
        assert 0 <= lost <= 0xFFFF


def test_the_offer_itself_is_well_formed() -> None:
    answer = sdp.parse_answer(ANSWER)
    assert dict(answer.sources) == {"audio": 1, "video": 2, "rtx": 3}
    assert answer.fingerprints == (Fingerprint("sha-256", IDENTITY.fingerprint.value),)
    assert OFFER.index("a=ssrc:2 ") < OFFER.index("a=ssrc:3 ")
