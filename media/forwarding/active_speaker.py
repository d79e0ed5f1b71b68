"""Chooses the speaker in a room of more than two, from the audio levels that browsers send with their sound (RFC 6464).

Pure: no packet, party or clock. A level is in -dBov: 0 is the loudest, 127 silence. No sound is decoded. A browser can
send false levels, so the speaker only moves a frame on pages, and gets no permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEP_S: Final = 0.2  # the time in s between two calls of `ActiveSpeaker.observe`
QUIET_LEVEL: Final = 55  # in -dBov; a quieter sound counts as noise
# the greatest loudness that counts, so that a loud microphone does not stay the speaker for long
LOUDEST: Final = 40.0
# with fewer packets in a step, the party was silent and its browser sent nothing (DTX)
PACKETS_MIN: Final = 4
SMOOTHING: Final = 0.3  # the weight of one step in the score: the score follows within about 0.6 s
BEGINS: Final = 10.0  # the lowest score with which a party becomes the speaker
ENDS: Final = 2.0
LOUDER: Final = 1.5  # another party becomes the speaker if its score is higher by this factor


class Voice:
    """The loudness of one party in the current step. The hot path calls `add`."""

    __slots__ = ("_packets", "_total")

    def __init__(self) -> None:
        self._packets = 0
        self._total = 0.0

    def add(self, level: int) -> None:
        """Add the level of one audio packet."""
        self._packets += 1
        self._total += min(LOUDEST, max(0, QUIET_LEVEL - level))

    def take(self) -> float:
        """Return the loudness of the step that ends now, from 0 to LOUDEST, and begin the next step."""
        loudness = self._total / max(self._packets, PACKETS_MIN)
        self._packets, self._total = 0, 0.0
        return loudness


class ActiveSpeaker:
    """Chooses the party that speaks. `current` is the key of that party, or None if nobody speaks."""

    def __init__(self) -> None:
        self.current: str | None = None
        self._scores: dict[str, float] = {}

    def observe(self, loudness: Mapping[str, float]) -> None:
        """Update the scores with the loudness of each party in a step, and choose again.

        The speaker changes only to a party that is clearly louder for a while; a cough or a single word changes
        nothing.
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
