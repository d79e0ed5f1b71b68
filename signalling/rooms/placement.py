"""Chooses the worker that carries a new room, among the workers of all machines. Does no I/O.

Each worker writes a `Place` (its load and addresses) to the store (`web/metrics/report.py`). `registry.py` reads the
places of all workers.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

# The load of a worker is its number of rooms divided by `rooms_max`, or by this number if `rooms_max` is 0.
USUAL_ROOMS = 100


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The load of one worker and the addresses of its media, at one moment. By these values a worker is chosen for a
    new room.

    `at_ms`: the time of that moment (the store's clock). `rooms`: the number of rooms that the worker carries.
    `rooms_max`: the greatest number of rooms that it accepts, 0 for no limit. `region`: the region of its machine, ""
    if the settings do not name one. `addresses`: (host, port) of its media over UDP. `draining`: True if the worker
    is about to stop and accepts no new room.
    """

    worker: str
    at_ms: int
    rooms: int
    rooms_max: int = 0
    region: str = ""
    addresses: tuple[tuple[str, int], ...] = ()
    draining: bool = False

    @property
    def full(self) -> bool:
        """Return True if the worker already carries the greatest number of rooms that it accepts."""
        return bool(self.rooms_max) and self.rooms >= self.rooms_max

    @property
    def share(self) -> float:
        """Return the worker's load: its number of rooms, divided by `rooms_max` (by USUAL_ROOMS if that is 0)."""
        return self.rooms / (self.rooms_max or USUAL_ROOMS)


def capacity(places: Iterable[Place]) -> int | None:
    """Return how many rooms the workers accept together (the sum of `rooms_max`), None for no limit. Workers that are
    about to stop do not count.
    """
    bounds = [place.rooms_max for place in places if not place.draining]
    return None if 0 in bounds else sum(bounds)


def ranked(places: Sequence[Place], own: str, near: Iterable[str]) -> list[str]:
    """Return the workers that may carry a new room, the best first. If no worker accepts rooms, return only `own`.

    `places`: all workers. `own`: the worker that asks. `near`: the workers to which the room's people are connected.
    The order: first workers that are not full, then those in the region of most people, then those with the least
    load, then `own`. If browsers can reach the media of a worker in `near` from the internet, workers that can be
    reached only from the local network are left out. If a worker in `near` can be reached from the local network,
    workers that can be reached only from their own machine are left out. If this leaves no worker, all workers that
    accept rooms are returned.
    """
    known = {place.worker: place for place in places}
    people = [known[worker] for worker in near if worker in known]
    regions = Counter(place.region for place in people if place.region)
    distance = max(map(_reach, people), default=0)
    taking = [place for place in places if not place.draining]
    reachable = [place for place in taking if _reach(place) >= distance] or taking
    best = sorted(
        reachable, key=lambda one: (one.full, -regions[one.region], one.share, one.worker != own, one.worker)
    )
    return [place.worker for place in best] or [own]


def _reach(place: Place) -> int:
    """Return how far away browsers can reach the media of a worker: 2 = from the internet, 1 = from the local network,
    0 = only from its own machine.

    For a worker without addresses, the result is 0.
    """
    hosts = [ipaddress.ip_address(host) for host, _ in place.addresses]
    return max((2 if host.is_global else 0 if host.is_loopback else 1 for host in hosts), default=0)
