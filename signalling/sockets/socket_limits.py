"""Limits how many sockets one address and one person may have open on this worker.

Sockets that have not sent `hello` yet have a limit of their own. This module counts sockets and compares the counts
with the limits; `handshake.py` sends the refusals. A limit of 0 means no limit. Does no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any, Protocol

from signalling.visit.record import Actor


class CountLimits(Protocol):
    """The greatest numbers of sockets that may be open at the same time; 0 means no limit."""

    @property
    def sockets_before_hello(self) -> int:
        """Return the limit for sockets of one address that have not sent `hello` yet."""

    @property
    def sockets_per_address(self) -> int:
        """Return the limit for sockets of one address after `hello`."""

    @property
    def sockets_per_person(self) -> int:
        """Return the limit for sockets of one person, from all addresses."""


class SocketCounts:
    """Counts a worker's sockets, by address and by person.

    The address is "" if it is unknown. Sockets of unknown addresses are not limited by address.
    """

    def __init__(self, limits: CountLimits) -> None:
        self._limits = limits
        self.before_hello: Counter[str] = Counter()
        self.by_address: Counter[str] = Counter()
        self.by_person: Counter[tuple[str, str]] = Counter()

    def add_before_hello(self, address: str) -> bool:
        """Count a socket before its `hello`; return False, and do not count it, if its address has too many."""
        most = self._limits.sockets_before_hello
        if address and most and self.before_hello[address] >= most:
            return False
        self.before_hello[address] += 1
        return True

    def remove_before_hello(self, address: str) -> None:
        """Stop counting a socket that `add_before_hello` has counted, because it has sent `hello` or has closed."""
        _decrease(self.before_hello, address)

    def allows(self, address: str, actor: Actor) -> bool:
        """Return True if one more socket of this person, from this address, is allowed."""
        limits = self._limits
        of_address = limits.sockets_per_address and self.by_address[address] >= limits.sockets_per_address
        of_person = limits.sockets_per_person and self.by_person[_key(actor)] >= limits.sockets_per_person
        return not (address and of_address) and not of_person

    def add(self, address: str, actor: Actor) -> None:
        """Count a socket after its `hello`. `address`: the client's address. `actor`: the person at the client."""
        self.by_address[address] += 1
        self.by_person[_key(actor)] += 1

    def remove(self, address: str, actor: Actor) -> None:
        """Stop counting a closed socket. `address` and `actor`: the values with which `add` has counted it."""
        _decrease(self.by_address, address)
        _decrease(self.by_person, _key(actor))


def _key(actor: Actor) -> tuple[str, str]:
    return actor.organisation, actor.id


def _decrease(counts: Counter[Any], key: Hashable) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
