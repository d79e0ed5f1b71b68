"""Tests byte by byte what a raw peer answers, sends and reads, without a relay."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from media.peers import raw
from media.peers.raw import RawPeer, ReceivedPacket
from media.protocols import stun
from media.protocols.codecs import H264, OPUS, RED, VP8, VP8_RTX
from media.transport import srtp
from media.transport.dtls import Identity
from media.transport.srtp import native_binding

SECTION = "m={kind} 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:theirs\r\na=ice-pwd:secret\r\n"
OFFER = (
    "v=0\r\n"
    + SECTION.format(kind="audio")
    + "a=candidate:1 1 udp 9 192.0.2.7 4000 typ host\r\na=candidate:1 1 tcp 9 192.0.2.8 4001 typ host\r\n"
    + "a=msid:patient one\r\na=ssrc:71 cname:x\r\n"
    + SECTION.format(kind="video")
    + "a=msid:guest two\r\na=ssrc:72 cname:x\r\na=ssrc:73 cname:x\r\n"
    + SECTION.format(kind="audio")
    + SECTION.format(kind="video")
)


@pytest.fixture
def peer() -> Iterator[RawPeer]:
    """A peer whose ids and secrets are known. It sends nothing to a network."""
    made = RawPeer(native_binding(), Identity(0.0))
    made.ufrag, made.password = "ours", "pwd"
    made.audio_ssrc, made.video_ssrc, made.rtx_ssrc = 11, 12, 13
    yield made
    made.close()


def sent_by(peer: RawPeer, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the list of the datagrams that the peer sends from now on."""
    sent: list[bytes] = []
    monkeypatch.setattr(peer, "send", lambda datagram: sent.append(bytes(datagram)))
    return sent


def test_an_offer_of_four_sections_has_an_answer_of_four_sections(peer: RawPeer) -> None:
    transport = [
        "c=IN IP4 0.0.0.0", "a=rtcp-mux", "a=rtcp-rsize", "a=ice-ufrag:ours", "a=ice-pwd:pwd",
        "a=fingerprint:sha-256 AB:CD", "a=setup:active",
    ]  # fmt: skip
    audio = [f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS.payload_type}", *transport]
    video = [f"m=video 9 UDP/TLS/RTP/SAVPF {VP8.payload_type} {VP8_RTX.payload_type}", *transport]
    nack = [f"a=rtcp-fb:{codec.payload_type} nack" for codec in (OPUS, VP8)]
    assert peer.answer(OFFER, fingerprint="AB:CD").splitlines() == [
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1 2 3",
        *audio, "a=sendrecv", "a=mid:0", nack[0], "a=ssrc:11 cname:probe",
        *video, "a=sendrecv", "a=mid:1", nack[1], "a=ssrc-group:FID 12 13", "a=ssrc:12 cname:probe",
        *audio, nack[0], "a=mid:2", "a=recvonly",
        *video, nack[1], "a=mid:3", "a=recvonly",
    ]  # fmt: skip
    assert peer.streams == {71: "patient", 72: "guest", 73: "guest"}
    assert (peer.remote, peer.remote_ufrag, peer.remote_password) == (("192.0.2.7", 4000), "theirs", "secret")


def test_an_answer_names_the_codecs_and_the_feedback_that_a_peer_has(peer: RawPeer) -> None:
    peer.takes_red, peer.promises_nack = True, False
    peer.video_types = (H264.payload_type, VP8.payload_type)
    lines = peer.answer(OFFER, sources=False).splitlines()
    assert f"m=audio 9 UDP/TLS/RTP/SAVPF {RED.payload_type} {OPUS.payload_type}" in lines
    assert f"m=video 9 UDP/TLS/RTP/SAVPF {H264.payload_type} {VP8.payload_type}" in lines
    assert lines.count(f"a=fmtp:{H264.payload_type} {H264.parameters}") == 2
    assert f"a=fingerprint:sha-256 {peer.identity.fingerprint.value}" in lines
    assert not [line for line in lines if line.startswith(("a=ssrc", "a=rtcp-fb"))]


def test_an_offer_without_a_candidate_of_the_transport_is_refused(peer: RawPeer) -> None:
    with pytest.raises(ValueError, match="no udp candidate"):
        peer.answer(OFFER.replace(" udp ", " tcp "))


def test_a_peer_over_tcp_connects_to_the_tcp_candidate(
    peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Any] = []
    monkeypatch.setattr(peer, "connect_tcp", lambda: connected.append(peer.remote))
    peer.answer(OFFER)
    assert connected == []
    peer.transport = "tcp"
    peer.answer(OFFER)
    assert connected == [("192.0.2.8", 4001)]
    assert not peer.ended
    closed: list[str] = []
    peer._stream_ended(cast(Any, SimpleNamespace(close=lambda: closed.append("stream"))))
    assert (peer.ended, closed) == (True, ["stream"])


@pytest.mark.parametrize("nominate", [None, True, False])
@pytest.mark.parametrize("ufrag", [None, "another"])
def test_a_check_names_both_sides_and_nominates_its_path(
    peer: RawPeer, nominate: bool | None, ufrag: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.remote_ufrag, peer.remote_password = "theirs", "secret"
    sent = sent_by(peer, monkeypatch)
    if nominate is None:
        peer.check(ufrag=ufrag)
    else:
        peer.check(ufrag=ufrag, nominate=nominate)
    message = stun.parse(sent[0])
    assert message is not None
    assert (message.kind, message.is_signed_with("secret")) == (stun.Kind.REQUEST, True)
    assert message.attributes[stun.USERNAME] == f"{ufrag or 'theirs'}:ours".encode()
    assert int.from_bytes(message.attributes[stun.PRIORITY]) == 1845501695
    assert message.attributes[stun.ICE_CONTROLLING].hex() == "0000000000000001"
    assert len(message.attributes[stun.PRIORITY]) == 4
    assert message.nominates is (nominate is not False)


def test_the_first_check_is_due_after_100_ms(peer: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = sent_by(peer, monkeypatch)
    for now_s, checks in ((0.09, 0), (0.1, 1), (0.19, 1), (0.25, 2)):
        peer.tick(now_s)
        assert len(sent) == checks


@pytest.mark.parametrize(
    ("first", "counter"),
    [(3, "stun"), (4, "dtls"), (127, "dtls"), (128, "media"), (191, "media"), (192, "dtls")],
)
def test_the_first_byte_of_a_datagram_says_what_it_is(
    peer: RawPeer, first: int, counter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    datagrams = iter([bytes((first, 0, 0))])

    def received(buffer: bytearray) -> tuple[int, Any]:
        datagram = next(datagrams, None)
        if datagram is None:
            raise BlockingIOError
        buffer[: len(datagram)] = datagram
        return len(datagram), None

    monkeypatch.setattr(peer, "sock", SimpleNamespace(recvfrom_into=received, close=peer.udp.close))
    peer.association = cast(Any, "an association")
    for name in ("stun", "dtls", "media"):
        monkeypatch.setattr(peer, f"_{name}", lambda _, name=name: found.append(name))
    peer.readable()
    assert (found, peer.received_octets) == ([counter], 3)


@pytest.mark.parametrize("answers", [True, False])
def test_a_check_of_the_relay_is_answered_unless_the_peer_is_to_be_silent(
    peer: RawPeer, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert peer.answers_checks
    peer.answers_checks, peer.remote = answers, ("192.0.2.7", 4000)
    sent = sent_by(peer, monkeypatch)
    peer._stun(stun.build(stun.Kind.REQUEST, bytes(12), [], "pwd"))
    assert (peer.received_checks, len(sent)) == (1, int(answers))


def test_the_first_answered_check_begins_the_handshake(
    peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def begin() -> None:
        begun.append(peer.answered_checks)
        peer.association = cast(Any, "an association")

    monkeypatch.setattr(peer, "_begin_dtls", begin)
    for _ in range(2):
        peer._stun(stun.build(stun.Kind.RESPONSE, bytes(12), [], "pwd"))
    peer._stun(b"")
    assert (peer.answered_checks, begun) == (2, [1])


PACKET = bytes.fromhex("80ef1234 01020304 05060708") + b"payload"


@pytest.mark.parametrize(
    ("keys", "status", "passed"),
    [("keys", srtp.OK, True), ("keys", srtp.OK + 1, False), (None, srtp.OK, False)],
)
def test_a_packet_is_passed_on_if_its_keys_are_known_and_fit(
    peer: RawPeer, keys: str | None, status: int, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[ReceivedPacket] = []
    monkeypatch.setattr(peer, "binding", SimpleNamespace(unprotect=lambda *_: status))
    peer._buffer[: len(PACKET)] = PACKET
    peer.rx = keys
    peer._media(len(PACKET))
    assert peer.unauthentic == 0, "nobody reads it"
    peer.on_rtp = found.append
    peer._media(len(PACKET))
    assert (peer.received, peer.unauthentic) == (2, int(not passed))
    if passed:
        one = found[0]
        assert (one.payload_type, one.sequence, one.timestamp, one.ssrc) == (
            111,
            0x1234,
            0x01020304,
            0x05060708,
        )
        assert (one.payload, one.packet) == (b"payload", PACKET)


@pytest.mark.parametrize("status", [srtp.OK, srtp.OK + 1])
def test_a_packet_that_was_encrypted_is_sent_and_media_is_counted(
    peer: RawPeer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = sent_by(peer, monkeypatch)
    protect = SimpleNamespace(protect=lambda *_: status, protect_rtcp=lambda *_: status)
    monkeypatch.setattr(peer, "binding", protect)
    peer.send_rtp(b"media")
    peer.send_rtcp(b"control")
    good = status == srtp.OK
    assert (sent, peer.sent) == ([b"media", b"control"] if good else [], int(good))


def test_vp8_packets_begin_with_the_start_of_a_partition() -> None:
    assert (raw.VP8_KEYFRAME, raw.VP8_DELTA) == (b"\x10\x00", b"\x10\x01")
    # Browsers put a picture id of 15 bits (the bits X, I and M of RFC 7741 §4.2) before the same bytes.
    for plain, of_browser in ((raw.VP8_KEYFRAME, raw.BROWSER_KEYFRAME), (raw.VP8_DELTA, raw.BROWSER_DELTA)):
        assert of_browser == b"\x90\x80\x80\x01" + plain[1:]


def test_a_peer_has_its_own_certificate_and_a_different_ssrc_for_each_stream() -> None:
    identity = Identity(0.0)
    given, own = RawPeer(native_binding(), identity), RawPeer(native_binding())
    assert given.identity is identity
    assert own.identity.fingerprint != identity.fingerprint
    ssrcs = {ssrc for peer in (given, own) for ssrc in (peer.audio_ssrc, peer.video_ssrc, peer.rtx_ssrc)}
    assert len(ssrcs) == 6
    for peer in (given, own):
        peer.close()
