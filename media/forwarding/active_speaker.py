"""Chooses the current speaker in a room of more than two parties, from the audio levels that browsers send (RFC 6464).

A level is in -dBov: 0 is the loudest, 127 is silence. Sound is not decoded. A browser can send false levels; therefore
the speaker gets no permission, and pages only show a frame around its picture. Does no I/O and reads no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# the time in s between two calls of `ActiveSpeaker.observe`
STEP_S: Final = 0.2
# a level in -dBov (127 is silence); sound at this level, or quieter, counts as noise
QUIET_LEVEL: Final = 55
# The greatest loudness in dB that is counted for a packet; a packet at QUIET_LEVEL has the loudness 0. Without this
# limit, a party with a loud microphone would stay the speaker for too long after it became silent.
LOUDEST: Final = 40.0
# If a party sent fewer packets than this in a step (STEP_S), the missing packets count as silence: a browser sends no
# packets during silence (DTX).
PACKETS_MIN: Final = 4
# A party's score is a running mean of its loudness, in which the newest step has this weight. A score follows
# a change of loudness within about 0.6 s.
SMOOTHING: Final = 0.3
BEGINS: Final = 10.0  # the lowest score at which a party becomes the speaker
ENDS: Final = 2.0
# Another party becomes the speaker if its score is higher than the speaker's by this factor.
LOUDER: Final = 1.5


class Voice:
    """Collects the loudness of one party's sound during the current step (STEP_S seconds). The hot path calls `add`."""

    __slots__ = ("_packets", "_total")

    def __init__(self) -> None:
        self._packets = 0
        self._total = 0.0

    def add(self, level: int) -> None:
        """Add the level of one audio packet, in -dBov (0 is the loudest, 127 is silence)."""
        self._packets += 1
        self._total += min(LOUDEST, max(0, QUIET_LEVEL - level))

    def take(self) -> float:
        """End the current step: return its loudness, from 0 to LOUDEST, and begin the next step."""
        loudness = self._total / max(self._packets, PACKETS_MIN)
        self._packets, self._total = 0, 0.0
        return loudness


class ActiveSpeaker:
    """Chooses the party that speaks. `current`: the id of that party, None if nobody speaks."""

    def __init__(self) -> None:
        self.current: str | None = None
        self._scores: dict[str, float] = {}

    def observe(self, loudness: Mapping[str, float]) -> None:
        """Update the scores at the end of a step, and choose the speaker again.

        `loudness`: id of each party -> the result of its `Voice.take`. The speaker changes only to a party
        that is clearly louder for a while; a cough or a single word changes nothing.
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
