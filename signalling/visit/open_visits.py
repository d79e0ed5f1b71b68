"""Holds the open visits of an organisation, with indexes: the queue in order, the staff in sessions, the connections by
worker.

A change updates the indexes, at a cost that hardly grows with the queue. Without the indexes each command would read
all open visits. Does no I/O.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, ValuesView

from signalling.visit import waiting
from signalling.visit.record import Status, Visit

TAKEN = frozenset({Status.CLAIMED, Status.LIVE})


class OpenVisits(Mapping[str, Visit]):
    """Holds the open visits by their ids. Only `put` and `drop` change them.

    The queue is kept in both orders of `waiting.rank`, because an organisation may change its rule for the order at
    any time. The queue of each waiting area is kept as well.
    """

    def __init__(self, visits: Iterable[Visit] = ()) -> None:
        self._visits: dict[str, Visit] = {}
        self._queues: dict[bool, list[waiting.Rank]] = {False: [], True: []}
        self._lines: dict[tuple[str, bool], list[waiting.Rank]] = {}
        self._taken: dict[str, Visit] = {}
        self._in_session: frozenset[str] | None = frozenset()
        self._held: dict[str, dict[tuple[str, str], None]] = {}
        # The visits are added in the order of their arrival: adding at the end of a sorted list is cheap.
        for visit in sorted(visits, key=_arrival):
            self.put(visit)

    def __getitem__(self, visit_id: str) -> Visit:
        return self._visits[visit_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._visits)

    def __len__(self) -> int:
        return len(self._visits)

    def values(self) -> ValuesView[Visit]:
        """Return the open visits, in no particular order."""
        return self._visits.values()

    def put(self, visit: Visit) -> None:
        """Add a visit, or replace the older version of it."""
        before = self._visits.get(visit.id)
        self._visits[visit.id] = visit
        self._index(before, visit)

    def drop(self, visit_id: str) -> None:
        """Remove a visit, if it is among the open visits."""
        before = self._visits.pop(visit_id, None)
        if before is not None:
            self._index(before, None)

    def _index(self, before: Visit | None, after: Visit | None) -> None:
        for urgent_first, queue in self._queues.items():
            was, is_ = _rank(before, urgent_first), _rank(after, urgent_first)
            if was != is_:
                _replace(queue, queue, was, is_)
            places = [_area(visit) for visit in (before, after)]
            if was != is_ or places[0] != places[1]:
                one, other = (self._line(place, urgent_first) for place in places)
                _replace(one, other, was, is_)
        if before is not None and before.status in TAKEN:
            del self._taken[before.id]
            self._in_session = None
        if after is not None and after.status in TAKEN:
            self._taken[after.id] = after
            self._in_session = None
        old, new = _connections(before), _connections(after)
        if old != new:
            for gone in old - new:
                self._let_go(*gone)
            for worker, visit_id, connection in new - old:
                self._held.setdefault(worker, {})[visit_id, connection] = None

    def _line(self, area: str, urgent_first: bool) -> list[waiting.Rank]:
        return self._lines.setdefault((area, urgent_first), [])

    def _let_go(self, worker: str, visit_id: str, connection: str) -> None:
        held = self._held[worker]
        del held[visit_id, connection]
        if not held:
            del self._held[worker]

    @property
    def waiting(self) -> int:
        """Return the number of patients of the organisation who wait in the queue."""
        return len(self._queues[False])

    @property
    def first(self) -> Visit | None:
        """Return the visit whose patient has waited longest; None if no patient waits."""
        ranks = self._queues[False]
        return self._visits[ranks[0][-1]] if ranks else None

    def queue(self, *, urgent_first: bool) -> list[Visit]:
        """Return the visits that wait, in the order of the queue. `urgent_first`: True if urgent visits come first."""
        return [self._visits[visit_id] for *_, visit_id in self._queues[urgent_first]]

    def place(self, visit_id: str, *, urgent_first: bool) -> int | None:
        """Return a visit's place, from 1, among the waiting visits of its area; None if the visit does not wait.

        `urgent_first`: the organisation's rule for the order.
        """
        visit = self._visits.get(visit_id)
        rank = _rank(visit, urgent_first)
        return None if rank is None else bisect_left(self._line(_area(visit), urgent_first), rank) + 1

    def waiting_in(self, area: str) -> int:
        """Return the number of patients who wait in an area. "" counts only patients without an area."""
        return len(self._lines.get((area, False), ()))

    def first_in(self, area: str) -> Visit | None:
        """Return the visit that has waited longest in an area ("": among visits without an area); None if no patient
        waits there.
        """
        line = self._lines.get((area, False))
        return self._visits[line[0][-1]] if line else None

    @property
    def taken(self) -> ValuesView[Visit]:
        """Return the visits that a provider has claimed and that have not ended: those whose call has begun (live),
        and those whose call has not.
        """
        return self._taken.values()

    @property
    def in_session(self) -> frozenset[str]:
        """Return the ids of the staff who are in a live visit."""
        if self._in_session is None:
            self._in_session = frozenset(
                v.claimant.id
                for v in self._taken.values()
                if v.status is Status.LIVE and v.claimant is not None
            )
        return self._in_session

    @property
    def holders(self) -> frozenset[str]:
        """Return the ids of the workers that have at least one connection of a visit's party."""
        return frozenset(self._held)

    def held_by(self, worker: str) -> list[tuple[str, str]]:
        """Return (visit's id, connection's id) for each connection that a party of a visit has to the worker with the
        id `worker`.
        """
        return list(self._held.get(worker, ()))


def _replace(
    old: list[waiting.Rank], new: list[waiting.Rank], was: waiting.Rank | None, is_: waiting.Rank | None
) -> None:
    if was is not None:
        del old[bisect_left(old, was)]
    if is_ is not None:
        insort(new, is_)


def _area(visit: Visit | None) -> str:
    return visit.area_id if visit is not None else ""


def _arrival(visit: Visit) -> waiting.Rank:
    return waiting.rank(visit, urgent_first=False)


def _rank(visit: Visit | None, urgent_first: bool) -> waiting.Rank | None:
    if visit is None or visit.status is not Status.QUEUED:
        return None
    return waiting.rank(visit, urgent_first=urgent_first)


def _connections(visit: Visit | None) -> frozenset[tuple[str, str, str]]:
    """Return (worker's id, visit's id, connection's id) for each connection of a visit's parties; empty for None."""
    if visit is None:
        return frozenset()
    return frozenset(
        (worker, visit.id, connection)
        for party in visit.parties.values()
        for connection, worker in party.connections.items()
    )
