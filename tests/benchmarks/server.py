"""Starts a server for a measurement, and makes its organisation and the cookies of the people who connect to it.

Accounts, visits and sessions are made by the product's own code.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.benchmarks import visits
from tests.benchmarks.peers import Endpoint, Login
from web.identity import sessions
from web.identity.accounts import Account
from web.identity.visitors import STAFF
from web.peers.cli.local import ORGANISATION, make_staff
from web.server.redis_client import connect
from web.server.throwaway import Throwaway, throwaway


class BenchServer:
    """A running server and an organisation on it. `workers` and `store` are process ids."""

    def __init__(self, server: Throwaway, organisation: str = ORGANISATION) -> None:
        self.settings, self.url, self.workers, self.store, _ = server
        self.organisation = organisation
        address = urlsplit(self.url)
        assert address.hostname is not None
        assert address.port is not None
        self.endpoint = Endpoint(address.hostname, address.port, organisation)

    def staff(self, people: int, logins: int) -> list[Login]:
        """Create the organisation with `people` providers.

        Return `logins` browsers, each signed in as one of these providers. If there are more browsers than
        providers, a provider has several browsers.
        """
        return asyncio.run(self.signed_in(people, logins))

    async def signed_in(self, people: int, logins: int) -> list[Login]:
        """Do the same as `staff`, for a caller that runs in an event loop."""
        staff = await make_staff(self.settings, people, organisation=self.organisation)
        client = connect(self.settings)
        try:
            storage = sessions.storage(client, self.settings)
            return [await self.browser(storage, staff[number % people]) for number in range(logins)]
        finally:
            await client.aclose()

    async def browser(self, storage: sessions.Storage, account: Account) -> Login:
        """Return a browser in which this account is signed in."""
        entry = {"organisation": self.organisation, "person": account.id, "generation": account.generation}
        return await visits.browser(storage, STAFF, entry, "staff")

    def waiting(self, number: int) -> tuple[list[Login], list[str]]:
        """Open `number` visits; return (the browser of each patient, the ids of the visits). Call `staff` first, which
        makes the organisation.
        """

        async def enter() -> tuple[list[Login], list[str]]:
            opened = await visits.open_visits(self.settings, self.organisation, number)
            return await visits.patients(self.settings, self.organisation, opened), opened

        return asyncio.run(enter())

    def patient(self) -> tuple[Login, str]:
        """Open one visit; return (the patient's browser, the id of the visit). Call `staff` first, which makes the
        organisation.
        """
        logins, opened = self.waiting(1)
        return logins[0], opened[0]


@contextmanager
def running_server(workers: int) -> Iterator[BenchServer]:
    """Start a server with `workers` processes and an empty store; yield it, then stop it and remove its files.

    Raises ServerNotReadyError if it does not start.
    """
    with throwaway(workers) as server:
        yield BenchServer(server)
