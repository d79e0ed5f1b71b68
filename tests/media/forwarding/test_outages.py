"""Tests what a receiver gets after an outage of its network."""

from __future__ import annotations

from media.forwarding.streams import GAP_MAX
from tests.media.forwarding.test_mending import SHIFT, SOUND, mended, request
from tests.media.forwarding.unencrypted import B, sound

LONGEST = GAP_MAX["audio"]


def test_sound_of_an_outage_is_not_sent_again_and_that_of_a_gap_is() -> None:
    room, _, _ = mended()
    numbers = range(11, 41)
    room.reads(*(sound(number) for number in numbers))
    first = dict(zip((SHIFT + number for number in numbers), room.sent[B], strict=True))
    outage = range(SHIFT + 11, SHIFT + 12 + LONGEST)
    gap = range(outage.stop + 1, outage.stop + 1 + LONGEST)
    room.sent[B].clear()
    room.reads(request(SOUND, *outage, *gap))
    assert room.sent[B] == [first[number] for number in gap]
    # The receiver no longer requests the oldest packets of the outage, but requests all other packets again.
    room.reads(request(SOUND, *outage[-LONGEST:]))
    assert len(room.sent[B]) == len(gap)
    room.reads(request(SOUND, gap[0]))
    assert room.sent[B][len(gap) :] == [first[gap[0]]]
