"""A running server with an organisation, and the cookies of the people who connect to it in a measurement.

Knows how people get their cookies: by accounts, visits and sessions as the product itself keeps them.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.benchmarks import visits
from tests.benchmarks.peers import Door, Seat
from web.identity import sessions
from web.identity.accounts import Account
from web.identity.visitors import STAFF
from web.peers.cli.local import ORGANISATION, make_staff
from web.server.redis_client import connect
from web.server.throwaway import Throwaway, throwaway


class Stage:
    """A running server and an organisation on it. `workers` and `store` are process ids."""

    def __init__(self, server: Throwaway, organisation: str = ORGANISATION) -> None:
        self.settings, self.url, self.workers, self.store = server
        self.organisation = organisation
        address = urlsplit(self.url)
        assert address.hostname is not None
        assert address.port is not None
        self.door = Door(address.hostname, address.port, organisation)

    def staff(self, people: int, seats: int) -> list[Seat]:
        """Make the organisation with so many providers; return so many browsers, provider after provider in turn."""
        return asyncio.run(self.seated(people, seats))

    async def seated(self, people: int, seats: int) -> list[Seat]:
        """Do what `staff` does, inside a running loop."""
        staff = await make_staff(self.settings, people, organisation=self.organisation)
        client = connect(self.settings)
        try:
            storage = sessions.storage(client, self.settings)
            return [await self.browser(storage, staff[number % people]) for number in range(seats)]
        finally:
            await client.aclose()

    async def browser(self, storage: sessions.Storage, account: Account) -> Seat:
        """Return a browser in which this account is signed in."""
        entry = {"organisation": self.organisation, "person": account.id, "generation": account.generation}
        return await visits.browser(storage, STAFF, entry, "staff")

    def waiting(self, number: int) -> tuple[list[Seat], list[str]]:
        """Open so many visits; return the browser of each patient, and the visits. The staff must be there already."""

        async def enter() -> tuple[list[Seat], list[str]]:
            opened = await visits.open_visits(self.settings, self.organisation, number)
            return await visits.patients(self.settings, self.organisation, opened), opened

        return asyncio.run(enter())

    def patient(self) -> tuple[Seat, str]:
        """Open one visit; return the patient's browser and the visit. The staff must be there already."""
        seats, opened = self.waiting(1)
        return seats[0], opened[0]


@contextmanager
def stage(workers: int) -> Iterator[Stage]:
    """Start a server with `workers` processes and an empty store; yield it, then stop it and remove all of it.

    Raises ServerNotReadyError.
    """
    with throwaway(workers) as server:
        yield Stage(server)
