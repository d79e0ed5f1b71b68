"""Stores which kinds of media the parties of a room have muted, for the room's next owner.

The first change of a room is stored at once. While changes continue, only the newest state is stored, every EVERY_S. So
a client that mutes and unmutes all the time causes no more writes than other clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from signalling.errors import UnavailableError
from signalling.rooms.lease import Leases
from signalling.rooms.participants import Room
from signalling.rooms.worker_messages import Member

EVERY_S: Final = 0.2
log = structlog.get_logger()


class MuteStore:
    """Writes the muted kinds of media of one worker's rooms into the rooms' leases.

    `spawn`: a function that starts a supervised task.
    """

    def __init__(self, leases: Leases, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._leases = leases
        self._spawn = spawn
        self._changed: dict[Room, dict[tuple[str, str], Member]] = {}

    def keep(self, room: Room, member: Member) -> None:
        """Store soon which kinds of media the party of `member` has muted now.

        The writes of a room are made in order.
        """
        changed = self._changed.get(room)
        if changed is None:
            changed = self._changed[room] = {}
            self._spawn(self._write(room, changed))
        changed[member.party, member.person] = member

    async def _write(self, room: Room, changed: dict[tuple[str, str], Member]) -> None:
        try:
            while changed:
                for member in [changed.pop(key) for key in list(changed)]:
                    await self._write_one(room, member)
                await asyncio.sleep(EVERY_S)
        finally:
            del self._changed[room]

    async def _write_one(self, room: Room, member: Member) -> None:
        try:
            await self._leases.keep_muted(member, room.fence, room.muted_by(member))
        except UnavailableError:
            # The party is muted in this room, but that is not stored, so the next owner of the room will not know it.
            log.info("room.mute_not_kept", visit=member.visit)
