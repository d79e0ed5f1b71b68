"""How many sockets one address and one person have on this worker, before hello and after it.

Pure: counts, and compares with the limits; what a refusal looks like is the door's business. A limit of 0 is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any, Protocol

from signalling.visit.record import Actor


class CrowdLimits(Protocol):
    """So many sockets at a time."""

    @property
    def sockets_before_hello(self) -> int:
        """Of one address, that have not said hello yet."""

    @property
    def sockets_per_address(self) -> int:
        """Of one address, that have."""

    @property
    def sockets_per_person(self) -> int:
        """Of one person, wherever they are."""


class Crowd:
    """The sockets of a worker, by where they come from and by whose they are. "" is an address that is not known."""

    def __init__(self, limits: CrowdLimits) -> None:
        self._limits = limits
        self._strangers: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._people: Counter[tuple[str, str]] = Counter()

    def enter(self, address: str) -> bool:
        """Count a socket that has not said hello, or return that there are too many from there."""
        most = self._limits.sockets_before_hello
        if address and most and self._strangers[address] >= most:
            return False
        self._strangers[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A socket that was counted by `enter` has said hello, or has gone."""
        _less(self._strangers, address)

    def has_room(self, address: str, actor: Actor) -> bool:
        """Return whether one more socket of this person, from there, may stay."""
        limits = self._limits
        here = address and limits.sockets_per_address and self._known[address] >= limits.sockets_per_address
        theirs = limits.sockets_per_person and self._people[_who(actor)] >= limits.sockets_per_person
        return not here and not theirs

    def stay(self, address: str, actor: Actor) -> None:
        """Count a socket whose person is known."""
        self._known[address] += 1
        self._people[_who(actor)] += 1

    def go(self, address: str, actor: Actor) -> None:
        """A socket that was counted by `stay` has gone."""
        _less(self._known, address)
        _less(self._people, _who(actor))


def _who(actor: Actor) -> tuple[str, str]:
    return actor.organisation, actor.id


def _less(counts: Counter[Any], key: Hashable) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
