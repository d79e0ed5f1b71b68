"""Chooses the speaker in a room of more than two, from the levels that browsers write into their sound (RFC 6464).

Pure: knows levels and the order of steps; knows no packet, party or clock. A level is in -dBov: 0 is the loudest, 127
silence. Nothing is decoded, and a level is a browser's own word: it moves a frame on pages, and no permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEP_S: Final = 0.2  # the time in s between two calls of `ActiveSpeaker.observe`
QUIET_LEVEL: Final = 55  # a quieter sound counts as noise
LOUDEST: Final = 40.0  # limited, so that a loud microphone does not stay the speaker for long
PACKETS_MIN: Final = 4  # the number of packets in a step below which it is silence that is not sent (DTX)
SMOOTHING: Final = 0.3  # the weight of one step in the score: about 0.6 s
BEGINS: Final = 10.0  # the score from which a party can be the speaker
ENDS: Final = 2.0
LOUDER: Final = 1.5  # another party becomes the speaker if its score is higher by this factor


class Voice:
    """The loudness of one party in the current step. The hot path calls `add`."""

    __slots__ = ("_packets", "_total")

    def __init__(self) -> None:
        self._packets = 0
        self._total = 0.0

    def add(self, level: int) -> None:
        """Take the level of a packet of sound."""
        self._packets += 1
        self._total += min(LOUDEST, max(0, QUIET_LEVEL - level))

    def take(self) -> float:
        """Return the loudness of the step that ends now, 0 to LOUDEST, and begin the next."""
        loudness = self._total / max(self._packets, PACKETS_MIN)
        self._packets, self._total = 0, 0.0
        return loudness


class ActiveSpeaker:
    """Chooses the party that speaks. `current` is the key of that party, or None if nobody speaks."""

    def __init__(self) -> None:
        self.current: str | None = None
        self._scores: dict[str, float] = {}

    def observe(self, loudness: Mapping[str, float]) -> None:
        """Take the loudness of each party in a step, and choose again.

        The speaker changes only to somebody who is clearly louder for a while, not by a cough or a single word.
        """
        before = self._scores
        self._scores = scores = {
            party: before.get(party, 0.0) * (1 - SMOOTHING) + now * SMOOTHING
            for party, now in loudness.items()
        }
        current = self.current if self.current in scores and scores[self.current] >= ENDS else None
        loudest = max(scores, key=scores.__getitem__, default=None)
        if loudest is not None and scores[loudest] >= BEGINS:
            louder = current is None or scores[loudest] > scores[current] * LOUDER
            current = loudest if louder else current
        self.current = current
