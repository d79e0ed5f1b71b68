"""Issues one-time links for patients. The secret in a link gives one browser access to one visit.

A link works once, and is valid for a day or less.
"""

import secrets
from typing import NamedTuple

from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.one_time import OneTime

FOR_MS = 24 * 3_600_000
SHORT_MS = 15 * 60_000
"""The lifetime of a link by which a patient continues on another device."""


class Made(NamedTuple):
    """A new link: its token, and how long the link is valid, in ms."""

    token: str
    for_ms: int


class PatientLinks:
    """Issues and redeems the links of patients.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._links = OneTime(redis)

    async def issue(self, organisation: str, visit_id: str, for_ms: int = FOR_MS) -> Made:
        """Return a new link to a visit. `for_ms`: how long the link is valid, in ms."""
        token = secrets.token_urlsafe(24)
        await self._links.keep(keys.PATIENT_LINK(organisation, keys.hashed(token)), visit_id.encode(), for_ms)
        return Made(token, for_ms)

    async def peek(self, organisation: str, token: str) -> str | None:
        """Return the id of the link's visit; None if the link is not valid, or no longer valid.

        The link can still be used afterwards.
        """
        found = await self._links.look(keys.PATIENT_LINK(organisation, keys.hashed(token)))
        return found.decode() if found else None

    async def was_used(self, organisation: str, token: str) -> bool:
        """Return whether the link was valid and has been used."""
        return await self._links.was_used(keys.PATIENT_LINK(organisation, keys.hashed(token)))

    async def redeem(self, organisation: str, token: str) -> str | None:
        """Return the id of the link's visit and use the link up; None if the link is not valid.

        Of two calls at the same time, only one returns the id.
        """
        found = await self._links.take(keys.PATIENT_LINK(organisation, keys.hashed(token)))
        return found.decode() if found else None
