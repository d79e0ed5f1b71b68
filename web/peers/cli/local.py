"""Starts a temporary server with an organisation and staff, so that `greenroom peers --local` needs no credentials.

The accounts are written to the store directly, without a form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from signalling.visit.record import Role
from web.config import Settings
from web.identity.accounts import Account, Accounts, Hasher
from web.organisations import demo
from web.organisations.documents import Organisations
from web.peers.run.plan import Credential
from web.server.redis_client import connect
from web.server.throwaway import throwaway

ORGANISATION = "bench"
WORDS = "a password of nobody"
# The number of accounts that are made at the same time; each needs a connection to the store.
AT_ONCE = 50


class Local(NamedTuple):
    """A running server: its URL, its organisation, its staff, and the process ids to watch.

    `pids`: the ids of its workers and its store. `roots`: the ids of its main process and its store;
    all its other processes are started by these two.
    """

    url: str
    organisation: str
    credentials: tuple[Credential, ...]
    pids: tuple[int, ...]
    roots: tuple[int, ...]


@contextmanager
def local_server(workers: int, providers: int, admins: int = 0) -> Iterator[Local]:
    """Start a server with `workers` processes and with staff; yield it as a `Local`.

    `providers` and `admins`: the numbers of staff; in `Local.credentials` the providers come first. At the end the
    server is stopped and its folder removed. Raises ServerNotReadyError if the server does not start.
    """
    with throwaway(workers) as running:
        staff = asyncio.run(make_staff(running.settings, max(1, providers), admins))
        credentials = tuple(Credential(account.email, WORDS) for account in staff)
        yield Local(
            running.url,
            ORGANISATION,
            credentials,
            (*running.workers, running.store),
            (running.server, running.store),
        )


class OneHash(Hasher):
    """Hashes a password only once and returns this hash for all accounts, because fifty hashes would take seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._hash = ""

    async def hash(self, password: str) -> str:
        """Return the hash of the password, which is made at the first call; all accounts have the same password."""
        self._hash = self._hash or await super().hash(password)
        return self._hash


async def make_staff(
    settings: Settings, providers: int, admins: int = 0, organisation: str = ORGANISATION
) -> list[Account]:
    """Make an organisation with its providers and admins; return their accounts, the providers' first."""
    client = connect(settings)
    hasher = OneHash()
    await hasher.hash(WORDS)
    try:
        clinic = msgspec.structs.replace(demo.ORGANISATION, id=organisation, name="Bench Clinic")
        await Organisations(client).save(clinic)
        accounts = Accounts(client, hasher)
        wanted = [(Role.PROVIDER, number) for number in range(providers)]
        wanted += [(Role.ADMIN, number) for number in range(admins)]
        staff: list[Account] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            staff += await asyncio.gather(*(_account(accounts, organisation, *one) for one in some))
        return staff
    finally:
        hasher.close()
        await client.aclose()


async def _account(accounts: Accounts, organisation: str, role: Role, number: int) -> Account:
    email, title = ("admin", "Desk") if role is Role.ADMIN else ("staff", "Dr")
    return await accounts.add(
        organisation,
        email=f"{email}{number}@bench.example",
        name=f"{title} Bench {number}",
        role=role,
        password=WORDS,
    )
