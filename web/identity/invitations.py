"""One-time links by which a person sets the password of their account.

Knows the store and the account's generation, not the page. A link ends when it is used, when the account's password,
role or standing changes, and after `HOURS`; the store keeps a hash of it, so that what the store shows opens nothing.
"""

import hashlib
import secrets
from typing import cast

import msgspec
from redis.asyncio import Redis

from signalling.store.records import answering
from web.identity.accounts import Account, Accounts

HOURS = 72
TOKEN_BYTES = 24


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a link opens: a person's account as it was when the link was made."""

    person: str
    generation: int


class Invitations:
    """The links of all organisations. All methods raise `Unavailable` where the store does not answer."""

    def __init__(self, redis: Redis, accounts: Accounts) -> None:
        self._redis = redis
        self._accounts = accounts

    async def make(self, organisation: str, account: Account) -> str:
        """A new token for the account, to be given to its person alone."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        kept = msgspec.msgpack.encode(Kept(account.id, account.generation))
        async with answering():
            await self._redis.set(_key(organisation, name_of(token)), kept, ex=HOURS * 3600)
        return token

    async def look(self, organisation: str, name: str) -> Account | None:
        """The account that the token of this `name_of` opens, without using it up; None if it opens nothing."""
        async with answering():
            kept = cast(bytes | None, await self._redis.get(_key(organisation, name)))
            return await self._account(organisation, kept)

    async def use(self, organisation: str, name: str) -> Account | None:
        """As `look`, and the token opens nothing from now on; of two at once, one gets the account."""
        async with answering():
            kept = cast(bytes | None, await self._redis.getdel(_key(organisation, name)))
            return await self._account(organisation, kept)

    async def _account(self, organisation: str, kept: bytes | None) -> Account | None:
        if kept is None:
            return None
        opens = msgspec.msgpack.decode(kept, type=Kept)
        account = await self._accounts.get(organisation, opens.person)
        if account is None or account.disabled or account.generation != opens.generation:
            return None
        return account


def name_of(token: str) -> str:
    """Return what is kept of a token, in the store and in the session of who opened its link: a hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _key(organisation: str, name: str) -> str:
    return f"{{{organisation}}}:invitation:{name}"
