"""The places of a cluster: what each worker of each machine registers about itself. Does no I/O.

`web/metrics/report.py` writes a worker's place, as part of its report, and the store keeps it for ten seconds.
"""

from __future__ import annotations

import msgspec


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


def capacity(places: list[Place]) -> int | None:
    """Return how many rooms all workers take together that do not drain; None if one of them takes any number."""
    bounds = [place.rooms_max for place in places if not place.draining]
    return None if 0 in bounds else sum(bounds)
