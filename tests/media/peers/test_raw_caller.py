"""Tests raw parties that call each other without a server between them."""

import select
import time
from collections.abc import Iterator

import pytest

from media.peers.raw_caller import HELLO_AGAIN_S, RawCaller
from media.protocols import rtp
from media.protocols.codecs import VP8
from media.transport.dtls import Identity
from media.transport.srtp import best_binding

LIMIT_S = 10.0


@pytest.fixture
def pair() -> Iterator[tuple[RawCaller, RawCaller]]:
    identity = Identity(0.0)
    caller, callee = RawCaller(best_binding(), identity), RawCaller(best_binding(), identity)
    yield caller, callee
    caller.close()
    callee.close()


def turn(*parties: RawCaller) -> None:
    """Let the parties do what is due, and read what has arrived within 10 ms."""
    for party in parties:
        party.tick(time.monotonic())
    select.select([party.sock for party in parties], [], [], 0.01)
    for party in parties:
        party.readable()


def connect(caller: RawCaller, callee: RawCaller) -> None:
    caller.accept(callee.answer_to(caller.offer()))
    deadline = time.monotonic() + LIMIT_S
    while not (caller.ready and callee.ready):
        assert time.monotonic() < deadline
        turn(caller, callee)


def test_two_parties_call_each_other_and_read_each_others_packets(pair: tuple[RawCaller, RawCaller]) -> None:
    connect(*pair)
    for sender, receiver in (pair, reversed(pair)):
        received: list[bytes] = []
        receiver.on_rtp = lambda packet, received=received: received.append(packet.payload)
        deadline = time.monotonic() + LIMIT_S
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
    # The callee drops DTLS packets for now, like a server whose ICE checks have not ended.
    monkeypatch.setattr(callee, "_dtls", lost.append)
    caller.accept(callee.answer_to(caller.offer()))
    deadline = time.monotonic() + LIMIT_S
    while not lost:
        assert time.monotonic() < deadline
        turn(caller, callee)
    began_s = time.monotonic()
    while len(lost) < 3:
        turn(caller, callee)
    # OpenSSL alone sends again after 1 s; two repetitions are due after 50 and 150 ms.
    assert time.monotonic() - began_s < 0.9
    assert lost[0] == lost[1] == lost[2]
    assert HELLO_AGAIN_S == 0.05
    monkeypatch.undo()
    while not (caller.ready and callee.ready):
        assert time.monotonic() < deadline
        turn(caller, callee)


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
    offer = caller.offer().replace("typ host", "typ relay")
    with pytest.raises(ValueError, match="no IPv4 candidate"):
        callee.accept(offer)
    caller.check()  # no address is known yet, so nothing is sent
    assert caller.answered_checks == 0
