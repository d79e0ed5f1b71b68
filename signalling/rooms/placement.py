"""Chooses the worker that carries a new room, among the workers of all machines. Does no I/O.

`web/metrics/report.py` writes a worker's place, as part of its report, and `registry.py` reads the places.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

# A worker without a bound counts as full as one with this bound that carries as many rooms.
USUAL_ROOMS = 100


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that may carry rooms, at one moment.

    `at_ms`: the time of that moment (the store's clock). `rooms`: the rooms that it carries; `rooms_max`: the most that
    it takes, 0 for any number. `region`: where its machine is, "" if the settings do not say. `addresses`: (host, port)
    of its media over UDP. `draining`: True if it stops and takes no new room.
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
        """Return True if it carries as many rooms as it takes."""
        return bool(self.rooms_max) and self.rooms >= self.rooms_max

    @property
    def share(self) -> float:
        """Return its rooms as a share of the most that it takes."""
        return self.rooms / (self.rooms_max or USUAL_ROOMS)


def capacity(places: Iterable[Place]) -> int | None:
    """Return how many rooms all workers take together that do not drain; None if one of them takes any number."""
    bounds = [place.rooms_max for place in places if not place.draining]
    return None if 0 in bounds else sum(bounds)


def ranked(places: Sequence[Place], own: str, near: Iterable[str]) -> list[str]:
    """Return the workers that may carry a new room, the best first; `own` alone if there is no other.

    A worker that is not full comes before a full one, then one in the region of more of the people, then the least
    loaded one, then `own`, the worker that asks. `near`: the workers to which the room's people are connected. They
    have reached these, so the room's media must be reachable from as far (`_reach`), if a worker is.
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
    """Return from where the media of a worker is reached: 2 from the internet, 1 from its network, 0 from its machine.

    Without addresses 0.
    """
    hosts = [ipaddress.ip_address(host) for host, _ in place.addresses]
    return max((2 if host.is_global else 0 if host.is_loopback else 1 for host in hosts), default=0)
