"""Tests forwarding of sound as RED (packets that repeat earlier sound), to parties that accept RED or do not.

A packet may repeat sound from before the opening of the gate (media may pass); that sound is not forwarded.
"""

from __future__ import annotations

import pytest

from media.forwarding.endpoint import Endpoint
from media.protocols import red, rtcp
from media.protocols.rtp import build
from tests.media.forwarding.test_group_forwarder import three
from tests.media.forwarding.unencrypted import AUDIO, A, B, C, UnencryptedRoom, pair, sound

RED = 63
FRAME = 960


def redundant(number: int, *ages: int, ssrc: int = 1, sequence: int | None = None) -> bytes:
    """Return a RED packet of A with the frame `number` of sound, which repeats earlier frames.

    `ages`: for each repeated frame, how many frames earlier than `number` it is. The content of a frame is
    its number as text. `ssrc`: by default A's own. `sequence`: the sequence number, by default `number`.
    """
    earlier = [(FRAME * age, b"%d" % (number - age)) for age in ages]
    payload = red.build(b"%d" % number, earlier)
    return build(RED, number if sequence is None else sequence, FRAME * number, ssrc, payload)


def listening(takes_red: bool = True) -> tuple[UnencryptedRoom, Endpoint, Endpoint]:
    """Return (the room, the endpoint of A, the endpoint of B) in a room in which media may pass.

    `takes_red`: True if B accepts RED.
    """
    room, a, b = pair()
    b.takes_red = takes_red
    return room, a, b


def test_redundant_sound_crosses_as_it_is_where_both_know_it() -> None:
    room, a, _ = listening()
    room.reads(*((redundant(n, 1), A) for n in range(100, 120)))
    assert room.sent[B][1:] == [redundant(n, 1, ssrc=20) for n in range(101, 120)]
    assert not a.sources[1].special, "no packet is looked into any more"
    assert room.counted()["forwarded"] == 20


def test_a_side_without_red_gets_plain_opus() -> None:
    room, a, _ = listening(takes_red=False)
    room.reads(*((redundant(n, 2, 1), A) for n in range(100, 120)))
    assert room.sent[B] == [build(AUDIO, n, FRAME * n, 20, b"%d" % n) for n in range(100, 120)]
    assert a.sources[1].special


def test_a_sender_may_change_between_red_and_plain_opus() -> None:
    room, a, _ = listening()
    room.reads(sound(7), (redundant(8, 1), A), sound(9), (redundant(10, 1), A))
    assert [packet[1] for packet in room.sent[B]] == [AUDIO, RED, RED, RED]
    assert a.sources[1].payload_type == RED
    room.reads((build(96, 11, 1, 1, b"video"), A))
    assert room.counted() == {
        "received": 5, "forwarded": 4, "forwarded_octets": room.forwarder.counters.forwarded_octets, "withheld": 1,
    }  # fmt: skip


@pytest.mark.parametrize("malformed", [b"", b"\xef\x0f", b"\x08other"])
@pytest.mark.parametrize("takes_red", [True, False])
def test_malformed_red_is_withheld_where_it_is_looked_into(malformed: bytes, takes_red: bool) -> None:
    room, _, _ = listening(takes_red)
    room.reads((build(RED, 100, FRAME, 1, malformed), A))
    assert (room.sent[B], room.counted()) == ([], {"received": 1, "withheld": 1})


# --- RED packets that the server makes from plain Opus packets


def plain(number: int, ssrc: int = 1, sequence: int | None = None) -> bytes:
    """Return a packet of A's sound that is not RED; its payload is `number` as text.

    `ssrc`: by default A's own. `sequence`: the sequence number, by default `number`.
    """
    return build(AUDIO, number if sequence is None else sequence, FRAME * number, ssrc, b"%d" % number)


def test_plain_sound_is_made_red_for_a_side_that_takes_it() -> None:
    room, _, _ = listening()
    room.reads(*((plain(n), A) for n in range(100, 120)))
    assert room.sent[B] == [plain(100, 20), *(redundant(n, 1, ssrc=20) for n in range(101, 120))]


def test_a_side_without_red_gets_plain_sound_as_it_is_and_no_packet_is_looked_into() -> None:
    room, a, _ = listening(takes_red=False)
    room.reads(*((plain(n), A) for n in range(100, 103)))
    assert room.sent[B] == [plain(n, 20) for n in range(100, 103)]
    assert not a.sources[1].special


def test_made_red_is_sent_again_byte_for_byte() -> None:
    room, _, _ = listening()
    room.reads(*((plain(n), A) for n in range(100, 103)), (rtcp.nack(7, 20, [101]), B))
    assert room.sent[B][3] == room.sent[B][1] == redundant(101, 1, ssrc=20)


def test_red_made_by_the_server_repeats_sound_after_a_loss_but_not_in_a_late_packet() -> None:
    room, _, _ = listening()
    room.reads((plain(100), A), (plain(102), A), (plain(101), A), (plain(103), A))
    assert room.sent[B] == [
        plain(100, 20),
        redundant(102, 2, ssrc=20),
        plain(101, 20),
        redundant(103, 1, ssrc=20),
    ]


def test_made_red_carries_nothing_of_a_muted_time_nor_from_before_the_gate_opened() -> None:
    room, a, b = listening()
    room.reads((plain(100), A), (plain(101), A))
    a.allowed.discard("audio")
    a.route(b, True)
    room.reads((plain(102), A))
    a.allowed.add("audio")
    a.route(b, True)
    del room.sent[B][:]
    room.reads((plain(103), A), (plain(104), A))
    assert room.sent[B] == [plain(103, 20, 102), redundant(104, 1, ssrc=20, sequence=103)]


def test_in_a_group_plain_sound_is_made_red_for_those_who_take_it() -> None:
    room, _, to = three()
    to[B].to.takes_red = True
    room.reads(*((plain(n), A) for n in (100, 101)))
    assert room.sent[B] == [plain(100, 20), redundant(101, 1, ssrc=20)]
    assert room.sent[C] == [plain(100, 30), plain(101, 30)]


# --- sound from before the opening of the gate (media may pass) is not forwarded


def test_red_carries_nothing_from_before_the_gate_opened() -> None:
    room, a, b = listening()
    a.route(b, False)
    room.reads(*((redundant(n, 2, 1), A) for n in range(90, 100)))
    assert room.sent[B] == []
    a.route(b, True)
    room.reads(*((redundant(n, 2, 1), A) for n in range(100, 104)))
    assert room.sent[B] == [
        redundant(100, ssrc=20),
        redundant(101, 1, ssrc=20),
        redundant(102, 2, 1, ssrc=20),
        redundant(103, 2, 1, ssrc=20),
    ]


def test_red_carries_nothing_of_a_muted_time() -> None:
    room, a, b = listening()
    room.reads(*((redundant(n, 1), A) for n in range(100, 150)))
    a.allowed.discard("audio")
    a.route(b, True)
    room.reads(*((redundant(n, 1), A) for n in range(150, 160)))
    a.allowed.add("audio")
    a.route(b, True)
    del room.sent[B][:]
    room.reads(*((redundant(n, 1), A) for n in range(160, 162)))
    assert room.sent[B] == [
        redundant(160, ssrc=20, sequence=150),
        redundant(161, 1, ssrc=20, sequence=151),
    ]


def test_a_late_red_packet_is_looked_into_as_long_as_its_payloads_can_be_older_than_the_gate() -> None:
    room, a, _ = listening()
    oldest = red.AGE_MAX // FRAME
    room.reads((redundant(100), A), (redundant(100 + oldest, oldest), A))
    assert room.sent[B][-1] == redundant(100 + oldest, oldest, ssrc=20)
    room.reads((redundant(99 + oldest, oldest, 3), A))
    assert room.sent[B][-1] == redundant(99 + oldest, 3, ssrc=20)
    assert a.sources[1].special
    room.reads((redundant(101 + oldest, oldest), A))
    assert room.sent[B][-1] == redundant(101 + oldest, oldest, ssrc=20)
    assert not a.sources[1].special


def test_in_a_group_each_side_gets_what_it_takes_and_nothing_older_than_its_own_gate() -> None:
    room, _, to = three()
    to[B].to.takes_red = True
    to[B].open = False
    to[B].refresh()
    room.reads((redundant(100, 1), A))
    to[B].open = True
    to[B].refresh()
    room.reads(*((redundant(n, 1), A) for n in (101, 102)))
    assert room.sent[B] == [redundant(101, ssrc=20), redundant(102, 1, ssrc=20)]
    assert room.sent[C] == [build(AUDIO, n, FRAME * n, 30, b"%d" % n) for n in (100, 101, 102)]
    room.reads((build(RED, 103, FRAME * 103, 1, b"\xef\x0f"), A))
    assert (len(room.sent[B]), len(room.sent[C]), room.counted()["withheld"]) == (2, 3, 1)
