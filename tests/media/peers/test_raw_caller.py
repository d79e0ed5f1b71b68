"""Tests raw parties that call each other without a server between them."""

import re
import select
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from media.peers import raw_caller
from media.peers.raw_caller import HELLO_AGAIN_S, RawCaller
from media.protocols import rtp, stun
from media.protocols.codecs import VP8
from media.transport.dtls import Identity
from media.transport.srtp import best_binding
from tests.limits import WAIT_S
from tests.media.peers.test_raw_answers import sent_by


@pytest.fixture
def pair() -> Iterator[tuple[RawCaller, RawCaller]]:
    identity = Identity(0.0)
    caller, callee = RawCaller(best_binding(), identity), RawCaller(best_binding(), identity)
    yield caller, callee
    caller.close()
    callee.close()


def turn(*parties: RawCaller, now_s: float | None = None) -> None:
    """Run the timers of the parties, wait at most 10 ms for a packet, and let all parties read.

    `now_s`: the time for the timers; None for the real time.
    """
    for party in parties:
        party.tick(time.monotonic() if now_s is None else now_s)
    select.select([party.sock for party in parties], [], [], 0.01)
    for party in parties:
        party.readable()


def connect(caller: RawCaller, callee: RawCaller) -> None:
    caller.accept(callee.answer_to(caller.offer()))
    deadline = time.monotonic() + WAIT_S
    while not (caller.ready and callee.ready):
        assert time.monotonic() < deadline
        turn(caller, callee)


def test_two_parties_call_each_other_and_read_each_others_packets(pair: tuple[RawCaller, RawCaller]) -> None:
    connect(*pair)
    for sender, receiver in (pair, reversed(pair)):
        received: list[bytes] = []
        receiver.on_rtp = lambda packet, received=received: received.append(packet.payload)
        deadline = time.monotonic() + WAIT_S
        sender.send_rtp(rtp.build(VP8.payload_type, 1, 1, sender.video_ssrc, b"picture"))
        while not received:
            assert time.monotonic() < deadline
            turn(*pair)
        assert received == [b"picture"]


def test_the_first_dtls_records_are_sent_again_as_early_as_by_browsers(
    pair: tuple[RawCaller, RawCaller], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, callee = pair
    lost: list[bytes] = []
    clock_s, deadline = 100.0, time.monotonic() + WAIT_S
    monkeypatch.setattr(raw_caller, "time", SimpleNamespace(monotonic=lambda: clock_s))

    def turns(done: Callable[[], bool]) -> float:
        """Let 10 ms of the clock pass in each turn, until `done()` is True; return the time in s that has passed."""
        nonlocal clock_s
        began_s = clock_s
        while not done():
            assert time.monotonic() < deadline
            clock_s += 0.01
            turn(caller, callee, now_s=clock_s)
        return clock_s - began_s

    # The callee drops DTLS packets for now, like a server whose ICE checks have not ended.
    with monkeypatch.context() as deaf:
        deaf.setattr(callee, "_dtls", lost.append)
        caller.accept(callee.answer_to(caller.offer()))
        turns(lambda: bool(lost))
        # The caller repeats its first record after 50 and 150 ms. By itself, OpenSSL would do that only after 1 s.
        assert turns(lambda: len(lost) >= 3) < 0.9
    assert lost[0] == lost[1] == lost[2]
    assert HELLO_AGAIN_S == 0.05
    turns(lambda: caller.ready and callee.ready)


SECTION = """\
m={kind} {port} UDP/TLS/RTP/SAVPF {codec}
c=IN IP4 127.0.0.1
a=rtcp-mux
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=fingerprint:sha-256 {fingerprint}
a=setup:active
a=mid:{mid}
a=sendrecv
a=msid:s s-{kind}
a=rtpmap:{codec} {name}
{feedback}a=ssrc:{ssrc} cname:raw
a=ssrc:{ssrc} msid:s s-{kind}
a=candidate:0 1 udp 2130706431 192.0.2.1 {port} typ host
a=candidate:1 1 udp 2130706430 192.0.2.2 {port} typ host
a=end-of-candidates
"""
HEAD = "v=0\no=- 7 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\na=msid-semantic: WMS s\n"
NACK = "a=rtcp-fb:96 nack\na=rtcp-fb:96 nack pli\n"


def test_an_offer_is_this_text(pair: tuple[RawCaller, RawCaller]) -> None:
    caller, _ = pair
    caller.hosts = ["192.0.2.1", "192.0.2.2"]
    port, fingerprint = caller.udp.getsockname()[1], caller.identity.fingerprint.value
    sections = [
        SECTION.format(
            kind=kind,
            port=port,
            codec=codec,
            ufrag=caller.ufrag,
            password=caller.password,
            fingerprint=fingerprint,
            mid=mid,
            name=name,
            feedback=feedback,
            ssrc=ssrc,
        )
        for kind, mid, codec, name, feedback, ssrc in (
            ("audio", 0, 111, "opus/48000/2", "", caller.audio_ssrc),
            ("video", 1, 96, "VP8/90000", NACK, caller.video_ssrc),
        )
    ]
    offer = re.sub(r"^o=- \d+", "o=- 7", caller.offer(), count=1, flags=re.MULTILINE)
    assert offer == (HEAD + "".join(sections)).replace("\n", "\r\n")


def test_a_controlled_party_nominates_nothing(
    pair: tuple[RawCaller, RawCaller], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, callee = pair
    callee.answer_to(caller.offer())
    sent = sent_by(callee, monkeypatch)
    callee.check()
    (check,) = map(stun.parse, sent)
    assert check is not None
    assert check.is_signed_with(caller.password)
    assert (check.kind, check.nominates) == (stun.Kind.REQUEST, False)
    assert check.attributes[stun.USERNAME] == f"{caller.ufrag}:{callee.ufrag}".encode()
    assert check.attributes[stun.PRIORITY] == (1845501695).to_bytes(4)
    assert check.attributes[stun.ICE_CONTROLLED] == (1).to_bytes(8)
    assert stun.ICE_CONTROLLING not in check.attributes


def test_the_first_dtls_records_are_sent_again_after_pauses_that_double_until_an_answer_comes(
    pair: tuple[RawCaller, RawCaller], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, callee = pair
    caller.accept(callee.offer())
    sent = sent_by(caller, monkeypatch)
    monkeypatch.setattr(raw_caller, "time", SimpleNamespace(monotonic=lambda: 100.0))
    caller._stun(stun.build(stun.Kind.RESPONSE, bytes(12), [], "pwd"))

    def hellos() -> int:
        """Return how many DTLS records of a handshake (type 22) were sent."""
        return sum(datagram[0] == 22 for datagram in sent)

    counts = list[int]()
    for now_s in (100.04, 100.051, 100.14, 100.152, 100.34, 100.353):
        caller.tick(now_s)
        counts.append(hellos())
    assert counts == [1, 2, 2, 3, 3, 4]
    caller._dtls(b"an answer")
    caller.tick(200.0)
    assert hellos() == 4


def test_a_check_that_comes_before_the_address_of_the_other_side_is_not_answered(
    pair: tuple[RawCaller, RawCaller], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, callee = pair
    sent = sent_by(caller, monkeypatch)
    check = stun.build(stun.Kind.REQUEST, bytes(12), [], caller.password)
    caller._stun(check)
    assert (sent, caller.received_checks) == ([], 0)
    caller.accept(callee.offer())
    caller._stun(check)
    assert (len(sent), caller.received_checks) == (1, 1)


def test_an_answer_has_the_lines_of_the_offer_and_the_other_roles(pair: tuple[RawCaller, RawCaller]) -> None:
    caller, callee = pair
    caller.hosts = ["192.0.2.1", "127.0.0.1"]
    offer = caller.offer()
    assert offer.count(" typ host") == 4
    answer = callee.answer_to(offer.replace("a=mid:0", "a=mid:sound").replace("a=mid:1", "a=mid:picture"))
    assert "a=group:BUNDLE sound picture" in answer
    assert "a=setup:passive" in answer
    assert callee.remote == ("192.0.2.1", caller.udp.getsockname()[1])
    assert (caller.controlling, callee.controlling) == (True, False)


def test_a_server_with_ice_lite_is_controlled_by_the_party_that_answers(
    pair: tuple[RawCaller, RawCaller],
) -> None:
    caller, callee = pair
    callee.answer_to("a=ice-lite\r\n" + caller.offer().replace("setup:active", "setup:actpass"))
    assert callee.controlling
    assert "a=setup:active" in callee.answer_to(caller.offer().replace("setup:active", "setup:actpass"))


def test_a_description_without_a_candidate_is_refused(pair: tuple[RawCaller, RawCaller]) -> None:
    caller, callee = pair
    for left_out in ("typ host", "a=ice-pwd"):
        with pytest.raises(ValueError, match="no IPv4 candidate"):
            callee.accept(caller.offer().replace(left_out, "x"))
    caller.check()  # the callee's address is not known yet, so `check` sends nothing
    assert caller.answered_checks == 0
