"""The real server, its store and the people who will be connected, made ready for a measurement.

Knows how people get their cookies: by accounts, visits and sessions as the product itself keeps them.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.benchmarks import visits
from tests.benchmarks.peers import Door, Seat
from web.config import Settings
from web.identity import sessions
from web.identity.accounts import Account
from web.identity.visitors import STAFF
from web.peers.cli.local import ORGANISATION, make_staff
from web.server.redis_client import connect
from web.server.throwaway import throwaway


class Stage:
    """A server that runs. `workers` and `store` are the processes of each."""

    def __init__(self, settings: Settings, url: str, workers: list[int], store: int) -> None:
        self.settings = settings
        self.url = url
        self.workers = workers
        self.store = store
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self.door = Door(address.hostname, address.port, ORGANISATION)

    def staff(self, people: int, seats: int, admins: int = 0) -> list[Seat]:
        """Seats of `people` providers, each seat in a browser of its own, person after person in turn; and so many
        admins, who have none.
        """
        return asyncio.run(self._staff(people, seats, admins))

    async def _staff(self, people: int, seats: int, admins: int) -> list[Seat]:
        staff = await make_staff(self.settings, people, admins)
        client = connect(self.settings)
        try:
            storage = sessions.storage(client, self.settings)
            return [await self._browser(storage, staff[number % people]) for number in range(seats)]
        finally:
            await client.aclose()

    @staticmethod
    async def _browser(storage: sessions.Storage, account: Account) -> Seat:
        entry = {"organisation": ORGANISATION, "person": account.id, "generation": account.generation}
        return await visits.browser(storage, STAFF, entry, "staff")

    def waiting(self, number: int) -> tuple[list[Seat], list[str]]:
        """So many patients who wait: the browser of each, and their visits. The organisation must have its staff."""

        async def enter() -> tuple[list[Seat], list[str]]:
            opened = await visits.open_visits(self.settings, ORGANISATION, number)
            return await visits.patients(self.settings, ORGANISATION, opened), opened

        return asyncio.run(enter())

    def patient(self) -> tuple[Seat, str]:
        """One patient who waits, and their visit. The organisation must have its staff already."""
        seats, opened = self.waiting(1)
        return seats[0], opened[0]


@contextmanager
def stage(workers: int) -> Iterator[Stage]:
    """Start a server with `workers` processes and an empty store; yield it, then stop it and remove all of it.

    Raises ServerNotReadyError.
    """
    with throwaway(workers) as found:
        yield Stage(found.settings, found.url, found.workers, found.store)
