"""One-time links for guests: a secret that opens one visit as one party, once, for a while (SECURITY.md row 8)."""

from __future__ import annotations

import hashlib
import secrets

import msgspec

from signalling.store.records import Keys, Store, answering


class Invite(msgspec.Struct, frozen=True):
    """What a link opens."""

    visit: str
    guest: str


USED = b""
"""What is kept of a link that was redeemed, until it would have expired: who tries it again guesses at nothing."""


class Invites:
    """Issues and redeems. Of two who redeem at once, one wins; replayed, expired and forged look alike."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def issue(self, organisation: str, invite: Invite, for_ms: int) -> str:
        """Return a fresh token. Raises `Unavailable`."""
        token = secrets.token_urlsafe(24)
        async with answering():
            await self._store.redis.set(_key(organisation, token), msgspec.msgpack.encode(invite), px=for_ms)
        return token

    async def look(self, organisation: str, token: str) -> Invite | None:
        """Return what the token would open, and leave it as it is: link previews look too. Raises `Unavailable`."""
        async with answering():
            data = await self._store.redis.get(_key(organisation, token))
        return msgspec.msgpack.decode(data, type=Invite) if data else None

    async def was_used(self, organisation: str, token: str) -> bool:
        """Return whether the token was genuine, and is used up. Raises `Unavailable`."""
        async with answering():
            return bool(await self._store.redis.get(_key(organisation, token)) == USED)

    async def redeem(self, organisation: str, token: str) -> Invite | None:
        """Return what the token opens, and void it; None where it opens nothing (any more). Raises `Unavailable`."""
        async with answering():
            data = await self._store.redis.set(
                _key(organisation, token), USED, xx=True, get=True, keepttl=True
            )
        return msgspec.msgpack.decode(data, type=Invite) if data else None


def _key(organisation: str, token: str) -> str:
    return Keys(organisation).record("invite", hashlib.sha256(token.encode()).hexdigest())
