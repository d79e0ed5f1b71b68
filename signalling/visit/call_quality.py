"""Counts the measured quality of a party's call.

Each measured value is rounded to two digits, and it is counted how often each rounded value occurs. This is
exact enough for a median, and needs little memory even for a long call. The counts of several workers can be
added. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import msgspec

MediaKind = Literal["audio", "video"]
HEARD_LOST, SENT_LOST, ROUND_TRIP, PICTURE = "heard_lost", "sent_lost", "round_trip", "picture"
"""The names of the measured figures. HEARD_LOST and SENT_LOST: the share of lost packets (in 1/1000), of those sent to
the party and of those that the party sent. ROUND_TRIP: the round trip in ms. PICTURE: the video sent to the party, in
kbit/s.
"""


class KindQuality(Protocol):
    """The measured quality of one kind of media (sound or video) in one direction.

    `loss`: the share (0 to 1) of lost packets, None if not known.
    """

    @property
    def kbps(self) -> float: ...
    @property
    def loss(self) -> float | None: ...


class PartyQuality(Protocol):
    """What a relay has measured of a party's media at one moment. `sent`: the media that the party sends.

    `received`: the media that is sent to the party. `rtt_ms`: the round trip, None if not known.
    """

    @property
    def rtt_ms(self) -> float | None: ...
    @property
    def sent(self) -> Mapping[MediaKind, KindQuality]: ...
    @property
    def received(self) -> Mapping[MediaKind, KindQuality]: ...


class Tally(msgspec.Struct, kw_only=True):
    """The counts of the quality of one party's call so far.

    `seen`: the name of a figure, such as ROUND_TRIP -> {value rounded to two digits: how often it was measured}.
    """

    party: str
    name: str
    connected_ms: float = 0.0
    interruptions: int = 0
    seen: dict[str, dict[int, int]] = {}

    def take(self, quality: PartyQuality) -> None:
        """Add the values of one measurement of the party's media to the counts."""
        losses = [kind.loss for kind in quality.received.values() if kind.loss is not None]
        sent = [kind.loss for kind in quality.sent.values() if kind.loss is not None]
        if losses:
            self._count(HEARD_LOST, 1000 * max(losses))
        if sent:
            self._count(SENT_LOST, 1000 * max(sent))
        if quality.rtt_ms is not None:
            self._count(ROUND_TRIP, quality.rtt_ms)
        picture = quality.received.get("video")
        # a camera that is off does not count as bad video
        if picture is not None and picture.kbps >= 1:
            self._count(PICTURE, picture.kbps)

    def _count(self, figure: str, value: float) -> None:
        seen, digits = self.seen.setdefault(figure, {}), two_digits(value)
        seen[digits] = seen.get(digits, 0) + 1

    def add(self, other: Tally) -> None:
        """Add the counts that another worker has made for the same party's call."""
        self.connected_ms += other.connected_ms
        self.interruptions += other.interruptions
        for figure, counts in other.seen.items():
            seen = self.seen.setdefault(figure, {})
            for value, times in counts.items():
                seen[value] = seen.get(value, 0) + times


def two_digits(value: float) -> int:
    """Return the value rounded to two significant digits, such as 7, 42, 130 or 1200."""
    number, scale = max(0, round(value)), 1
    while number >= 100 * scale:
        scale *= 10
    return round(number / scale) * scale


def average(seen: Mapping[int, int]) -> float:
    """Return the mean of the counted values, 0 if there are none. `seen`: value -> how often it was counted."""
    return sum(value * times for value, times in seen.items()) / max(1, sum(seen.values()))


def percentile(seen: Mapping[int, int], percent: int) -> int:
    """Return the percentile of the counted values: at least `percent` % of them are at most as large as the result.

    Return 0 if no value was counted.

    `seen`: value -> how often it was counted.
    """
    wanted = -(-sum(seen.values()) * percent // 100)
    for value in sorted(seen):
        wanted -= seen[value]
        if wanted <= 0:
            return value
    return 0


def merged(tallies: Iterable[Tally]) -> list[Tally]:
    """Add up the tallies that have the same party and name; return one sum for each party and name.

    The party that was connected longest comes first. A party that was connected for less than 1 ms is left out.
    """
    found: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        held = found.setdefault((tally.party, tally.name), Tally(party=tally.party, name=tally.name))
        held.add(tally)
    connected = [tally for tally in found.values() if tally.connected_ms >= 1]
    return sorted(connected, key=lambda tally: (-round(tally.connected_ms / 1000), tally.party))
