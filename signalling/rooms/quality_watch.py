"""Measures the quality of calls and stores the figures with the visits.

The media connections of live rooms are measured every LOOK_S. The counts (`call_quality.py`) are written to the store
every KEEP_S, when a party leaves, and when the room closes. Each visit has one Redis hash for its counts, to which
several workers may write. Each write has all counts of a room, so a failed write loses counts only if no other write
follows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
import structlog

from signalling import counts
from signalling.errors import UnavailableError
from signalling.rooms.participants import Room
from signalling.rooms.ports import Disconnected, MediaEvent, Speaking
from signalling.store import keys
from signalling.store.records import Store
from signalling.store.unreadable import leaving_out
from signalling.visit.call_quality import Tally, merged

LOOK_S = 2.0
KEEP_S = 30.0
log = structlog.get_logger()
_DECODER = msgspec.msgpack.Decoder(Tally)
_encode = msgspec.msgpack.Encoder().encode


async def calls_of(store: Store, organisation: str, visit: str) -> list[Tally]:
    """Return the measured quality of a visit's calls, one tally (counts) per party; [] if there was no call.

    Raises `UnavailableError` if the store does not answer.
    """
    name = keys.CALLS(organisation, visit)
    parts, past = await store.packed.beside(organisation, visit, lambda pipe: pipe.hvals(name))
    if past is not None:
        return list(past.calls)
    found = []
    for sealed in parts:
        with leaving_out(organisation, "calls"):
            found.append(_DECODER.decode(store.seal.open(sealed, _place(organisation, visit))))
    return merged(found)


def _place(organisation: str, visit: str) -> str:
    return f"{organisation}/calls/{visit}"


class CallWatch:
    """Measures the quality of the calls in one worker's rooms, and stores the figures with the visits."""

    def __init__(
        self,
        rooms: Mapping[str, Room],
        store: Store,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._rooms = rooms
        self._store = store
        self._spawn = spawn
        self._timer: asyncio.TimerHandle | None = None
        self.look_s = LOOK_S

    def talking(self, room: Room, names: Mapping[str, str]) -> None:
        """Set which parties take part in the call of a room from now on.

        `names`: party -> the name to show with its figures; {} if the visit is not live.
        """
        if room.talking == names:
            return
        self.look(room)
        if not room.talking:
            room.kept_s = time.monotonic()
        room.talking = dict(names)
        self.look(room)
        if names and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.look_s, self._tick)

    def follow(self, room: Room, party: str, event: MediaEvent) -> None:
        """Measure a room after an event of the relay about a party; `Disconnected` counts as an interruption.

        `Speaking` has no effect.
        """
        if isinstance(event, Speaking):
            return
        if isinstance(event, Disconnected) and party in room.since_s:
            self._tally(room, party).interruptions += 1
        self.look(room)

    def look(self, room: Room) -> None:
        """Count, for each connected party of a room, the time and the quality since the last measurement."""
        now_s = time.monotonic()
        for party, participant in room.participants.items():
            since_s = room.since_s.pop(party, None)
            if party not in room.talking:
                continue
            if since_s is not None:
                tally = self._tally(room, party)
                tally.connected_ms += (now_s - since_s) * 1000
                quality = participant.media.quality()
                tally.take(quality)
                counts.measured(quality)
            if participant.media.connected:
                room.since_s[party] = now_s
        for party in room.since_s.keys() - room.participants.keys():
            del room.since_s[party]

    @staticmethod
    def _tally(room: Room, party: str) -> Tally:
        name = room.talking[party]
        return room.tallies.setdefault((party, name), Tally(party=party, name=name))

    def keep(self, visit: str, room: Room) -> None:
        """Write the counts of a visit's room to the store, in the background."""
        parts = self._parts(visit, room)
        if parts:
            self._spawn(self._write(room.organisation, visit, parts))

    async def finish(self, visit: str, room: Room) -> None:
        """Write the quality of a room's calls until now to the store, before this worker gives up the room.

        `visit`: the id of the room's visit.
        """
        self.talking(room, {})
        parts = self._parts(visit, room)
        if parts:
            await self._write(room.organisation, visit, parts)

    def _parts(self, visit: str, room: Room) -> dict[str, bytes]:
        """Return a copy of a room's counts to write: field of the visit's hash -> encrypted bytes.

        Counting continues during the write.
        """
        room.kept_s = time.monotonic()
        place = _place(room.organisation, visit)
        return {
            f"{room.name}/{number}": self._store.seal.close(_encode(tally), place)
            for number, tally in enumerate(room.tallies.values())
            if tally.connected_ms >= 1
        }

    async def _write(self, organisation: str, visit: str, parts: dict[str, bytes]) -> None:
        try:
            await self._store.packed.add_beside(organisation, visit, keys.CALLS, parts)
        except UnavailableError:
            log.warning("room.quality_not_kept", visit=visit)

    def close(self) -> None:
        """End the measurements, because this worker stops."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        now_s = time.monotonic()
        live = {visit: room for visit, room in self._rooms.items() if room.talking}
        for visit, room in live.items():
            try:
                self.look(room)
                if now_s - room.kept_s >= KEEP_S:
                    self.keep(visit, room)
            except Exception:
                # A room that cannot be measured must not prevent the measurement of the other rooms.
                log.exception("room.not_looked_at", visit=visit)
        if live:
            self._timer = asyncio.get_running_loop().call_later(self.look_s, self._tick)
