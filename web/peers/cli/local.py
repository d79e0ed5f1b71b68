"""A throw-away server for a try-out: `greenroom peers --local` needs neither an address nor credentials.

Knows how to have a server with an organisation and its staff, and to remove both. What happens there it does
not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from web.peers.cli.throwaway import ORGANISATION, WORDS, make_staff, throwaway
from web.peers.run.plan import Credential


class Local(NamedTuple):
    """A server that runs: its address, organisation, staff, and the processes to watch."""

    url: str
    organisation: str
    credentials: tuple[Credential, ...]
    pids: tuple[int, ...]


@contextmanager
def local_server(workers: int, providers: int, admins: int = 0) -> Iterator[Local]:
    """A server with so many workers, providers and admins, the providers' credentials first; it is stopped and its
    folder removed at the end. Raises NotReady.
    """
    with throwaway(workers) as running:
        asyncio.run(make_staff(running.settings, max(1, providers), admins))
        emails = [
            *(f"staff{number}@bench.example" for number in range(max(1, providers))),
            *(f"admin{number}@bench.example" for number in range(admins)),
        ]
        staff = tuple(Credential(email, WORDS) for email in emails)
        yield Local(running.url, ORGANISATION, staff, (*running.workers, running.store))
