"""Tests retransmission of lost packets in rooms of more than two parties: only the receiver that lost a packet gets
it again.
"""

from __future__ import annotations

from struct import unpack_from

from media.protocols.rtp import build
from tests.media.forwarding.test_group_forwarder import three
from tests.media.forwarding.test_mending import SOUND, asked, repeated, request
from tests.media.forwarding.unencrypted import DELTA, KEY, VIDEO, A, B, C, picture, sound


def test_in_a_group_each_receiver_is_mended_by_itself_and_the_sender_asked_once() -> None:
    room, a, _ = three()
    a.mends = frozenset({"audio", "video"})
    room.reads(sound(10, transport_cc=1), sound(12, transport_cc=3))
    assert asked(room) == [(1, [11])]
    room.reads(sound(11, transport_cc=2))
    assert not a.sources[1].missing
    assert [unpack_from("!H", data, 2)[0] for data in room.sent[C]] == [10, 12, 11]
    room.reads(request(30, 12, sender=C))
    assert room.sent[C][3:] == [room.sent[C][1]]
    assert len(room.sent[B]) == 3


def test_in_a_group_every_receiver_gets_the_original_of_a_retransmission_once() -> None:
    room, a, _ = three()
    a.mends = frozenset({"video"})
    room.reads(picture(10, KEY), picture(12), repeated(400, 11), repeated(401, 11))
    assert not a.sources[2].missing
    assert room.sent[B][2:] == [build(VIDEO, 11, 33_000, 21, DELTA)]
    assert room.sent[C][2:] == [build(VIDEO, 11, 33_000, 31, DELTA)]
    room.reads(picture(11))
    assert (len(room.sent[B]), len(room.sent[C])) == (3, 3)


def test_in_a_group_nothing_from_before_a_gate_opened_is_sent_again() -> None:
    room, a, to = three()
    a.mends = frozenset({"audio", "video"})
    to[B].open = False
    to[B].refresh()
    room.reads(sound(10), sound(11), sound(13))
    to[B].open = True
    to[B].refresh()
    asked(room)
    room.reads(sound(14), sound(12), *(request(SOUND, number) for number in range(16)))
    assert [unpack_from("!I", data, 4)[0] // 960 for data in room.sent[B]] == [14, 14]


def test_in_a_group_a_browser_that_is_back_gets_keyframes_of_those_who_receive_it() -> None:
    room, a, to = three()
    for ssrc, endpoint in enumerate(room.endpoints[1:], 5):
        endpoint.learn(ssrc, "video")
        for subscription in endpoint.subscribers.values():
            subscription.refresh()
    room.reads(sound(1))
    to[C].open = False
    for packets in room.sent.values():
        packets.clear()
    a.last_from, room.now_s = None, 105.0
    room.reads(sound(2))
    requested = {
        address: [unpack_from("!I", data, 8)[0] for data in sent if data[1] == 206]
        for address, sent in room.sent.items()
    }
    assert requested == {A: [2], B: [5], C: []}
