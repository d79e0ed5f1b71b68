"""What happens by itself: deadlines that passed, connections whose worker died, screens that missed the last event.

Every worker sweeps; a commit happens once however many try. Whatever a crash interrupted is found here again,
from the records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from signalling.commands import Due, Leave
from signalling.liveness import Liveness
from signalling.record import Actor, Role
from signalling.service import Service
from signalling.store import Unavailable

PERIOD_S = 0.5
log = structlog.get_logger()


def system(organisation: str) -> Actor:
    """Return the server itself as an actor."""
    return Actor(organisation=organisation, id="system", name="", role=Role.SYSTEM)


class Sweep:
    """Goes over all organisations, again and again."""

    def __init__(self, service: Service, liveness: Liveness) -> None:
        self._service = service
        self._liveness = liveness

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                for organisation in await self._service.organisations.list():
                    await self.once(organisation)
            except Unavailable:
                log.debug("sweep.unavailable")  # said once by the liveness
            except Exception:
                # A record that cannot be read must not stop the clock of all the others.
                log.exception("sweep.failed")
            await asyncio.sleep(PERIOD_S)

    async def once(self, organisation: str) -> None:
        """One round over one organisation. Raises `Unavailable`."""
        mirror = await self._service.mirrors.get(organisation)
        await mirror.check_tail()
        for visit_id in await self._service.store.due(organisation):
            await self._service.command(system(organisation), visit_id, Due())
        dead = self._liveness.dead
        for visit_id, connection, worker in self._held(organisation):
            if worker in dead:
                await self._service.command(system(organisation), visit_id, Leave(connection, worker))

    def _held(self, organisation: str) -> list[tuple[str, str, str]]:
        mirror = self._service.mirrors.known(organisation)
        return [
            (visit.id, connection, worker)
            for visit in (mirror.visits.values() if mirror is not None else ())
            for party in visit.parties.values()
            for connection, worker in party.connections.items()
        ]

    def holders(self) -> Iterator[str]:
        """Yield the workers that hold a party's connection: those whose death would matter."""
        for mirror in self._service.mirrors:
            yield from (worker for _, _, worker in self._held(mirror.organisation))
