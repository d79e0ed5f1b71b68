"""One-time links for guests: each contains a secret that admits one guest to one visit, once (SECURITY.md row 8)."""

from __future__ import annotations

import secrets

import msgspec

from signalling.store import keys
from signalling.store.one_time import OneTime
from signalling.store.records import Store


class GuestLink(msgspec.Struct, frozen=True):
    """The target of a guest's link. `visit`: the visit's id. `guest`: the guest's key in `Visit.parties`."""

    visit: str
    guest: str


class GuestLinks:
    """Issues and redeems the one-time links of guests.

    If two requests redeem the same link at the same time, only one succeeds. Used, expired and forged links get the
    same answer.
    """

    def __init__(self, store: Store) -> None:
        self._links = OneTime(store.redis)

    async def issue(self, organisation: str, invite: GuestLink, for_ms: int) -> str:
        """Return the token of a new link for the target `invite`, valid for `for_ms` milliseconds.

        Raises `UnavailableError` if the store does not answer.
        """
        token = secrets.token_urlsafe(24)
        await self._links.keep(
            keys.INVITE(organisation, keys.hashed(token)), msgspec.msgpack.encode(invite), for_ms
        )
        return token

    async def look(self, organisation: str, token: str) -> GuestLink | None:
        """Return the target of a token, which stays valid; None if the token is not valid, or no longer valid.

        Used when a link is opened: programs that show a preview of a link open it as well, and must not use up its
        token. Raises `UnavailableError` if the store does not answer.
        """
        data = await self._links.look(keys.INVITE(organisation, keys.hashed(token)))
        return msgspec.msgpack.decode(data, type=GuestLink) if data else None

    async def was_used(self, organisation: str, token: str) -> bool:
        """Return True if the token was valid and has been used.

        Raises `UnavailableError` if the store does not answer.
        """
        return await self._links.was_used(keys.INVITE(organisation, keys.hashed(token)))

    async def redeem(self, organisation: str, token: str) -> GuestLink | None:
        """Return the target of a token, and use the token up; None if the token is not valid, or no longer valid.

        Raises `UnavailableError` if the store does not answer.
        """
        data = await self._links.take(keys.INVITE(organisation, keys.hashed(token)))
        return msgspec.msgpack.decode(data, type=GuestLink) if data else None
