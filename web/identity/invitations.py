"""Makes and reads one-time links by which a person sets the password of their account.

A link ends when it is used, when the account's password, role or status changes, and after `HOURS` hours. The
store keeps only a hash, from which no link can be made.
"""

import secrets

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.one_time import OneTime
from signalling.store.unavailable import answering
from web.identity.accounts import Account, Accounts

HOURS = 72
TOKEN_BYTES = 24


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """The account to which a link belongs: its id, and the account's generation at the time at which the link was made.

    The generation is a number that grows when the account's sessions and links must end.
    """

    person: str
    generation: int


class Invitations:
    """Issues and redeems the invitation links of all organisations.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis, accounts: Accounts) -> None:
        self._links = OneTime(redis)
        self._accounts = accounts

    async def make(self, organisation: str, account: Account) -> str:
        """Return a new token for a link by which the owner of the account sets a password.

        Only the owner may receive it.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        kept = msgspec.msgpack.encode(Kept(account.id, account.generation))
        await self._links.keep(keys.INVITATION(organisation, name_of(token)), kept, HOURS * 3_600_000)
        return token

    async def look(self, organisation: str, name: str) -> Account | None:
        """Return the account to which a link belongs; None if the link is not valid.

        `name`: the hash of the link's token (`name_of`). The link can still be used afterwards.
        """
        async with answering():
            kept = await self._links.look(keys.INVITATION(organisation, name))
            return await self._account(organisation, kept)

    async def use(self, organisation: str, name: str) -> Account | None:
        """Return the account to which a link belongs, and use the link up; None if the link is not valid.

        `name`: the hash of the link's token. Of two calls at once, only one returns the account.
        """
        async with answering():
            kept = await self._links.take(keys.INVITATION(organisation, name))
            return await self._account(organisation, kept)

    async def was_used(self, organisation: str, name: str) -> bool:
        """Return whether the link with this hash was valid and has been used up."""
        return await self._links.was_used(keys.INVITATION(organisation, name))

    async def _account(self, organisation: str, kept: bytes | None) -> Account | None:
        if kept is None:
            return None
        opens = msgspec.msgpack.decode(kept, type=Kept)
        account = await self._accounts.get(organisation, opens.person)
        if account is None or account.disabled or account.generation != opens.generation:
            return None
        return account


def name_of(token: str) -> str:
    """Return the hash of a token.

    The store keeps the hash, and so does the session of the browser that opened the link.
    """
    return keys.hashed(token)
