"""Limits the sockets of one address and of one person on this worker, before and after `hello`.

Pure: counts and compares with the limits; the refusals are sent by `handshake.py`. A limit of 0 means no limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any, Protocol

from signalling.visit.record import Actor


class CrowdLimits(Protocol):
    """How many sockets are allowed at a time."""

    @property
    def sockets_before_hello(self) -> int:
        """Sockets of one address that have not sent `hello` yet."""

    @property
    def sockets_per_address(self) -> int:
        """Sockets of one address after `hello`."""

    @property
    def sockets_per_person(self) -> int:
        """Sockets of one person, from all addresses."""


class Crowd:
    """Counts a worker's sockets, by address and by person. "" is an unknown address."""

    def __init__(self, limits: CrowdLimits) -> None:
        self._limits = limits
        self.strangers: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.people: Counter[tuple[str, str]] = Counter()

    def enter(self, address: str) -> bool:
        """Count a socket before its `hello`; return False if its address has too many."""
        most = self._limits.sockets_before_hello
        if address and most and self.strangers[address] >= most:
            return False
        self.strangers[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Remove a socket that was counted by `enter`: it has sent `hello`, or has closed."""
        _less(self.strangers, address)

    def has_room(self, address: str, actor: Actor) -> bool:
        """Return True if one more socket of this person, from this address, is allowed."""
        limits = self._limits
        here = address and limits.sockets_per_address and self.known[address] >= limits.sockets_per_address
        theirs = limits.sockets_per_person and self.people[_who(actor)] >= limits.sockets_per_person
        return not here and not theirs

    def stay(self, address: str, actor: Actor) -> None:
        """Count a socket whose person is known."""
        self.known[address] += 1
        self.people[_who(actor)] += 1

    def go(self, address: str, actor: Actor) -> None:
        """Remove a closed socket that was counted by `stay`."""
        _less(self.known, address)
        _less(self.people, _who(actor))


def _who(actor: Actor) -> tuple[str, str]:
    return actor.organisation, actor.id


def _less(counts: Counter[Any], key: Hashable) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
