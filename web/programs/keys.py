"""Stores the API keys of an organisation, and counts their requests.

A key has 256 random bits, so its SHA-256 is stored, and no slower hash is needed. The key is shown only once. All
methods raise `UnavailableError` if the store does not answer.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering
from web.errors import ApiKeyError
from web.languages.i18n import N_
from web.programs.scopes import Scope

TOKEN = re.compile(r"gr_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
MOST_KEYS = 50
LABEL = range(1, 101)
WINDOW_MS = 60_000
PER_WINDOW = 600
"""The greatest number of requests per minute with one key."""
WRONG_PER_WINDOW = 60
"""The greatest number of requests per minute from one IP address that have no valid key."""

ADD = """
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

# The script counts a request. It returns two numbers: the requests in the current period, and the time in ms until the
# period ends. The first request of a period also records the time at which the key was used.
COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  if ARGV[2] ~= '' then
    local t = redis.call('TIME')
    redis.call('HSET', KEYS[2], ARGV[2], t[1] * 1000 + math.floor(t[2] / 1000))
  end
end
return {n, redis.call('PTTL', KEYS[1])}
"""


SCOPES: dict[Scope, str] = {
    Scope.READ: N_("see the queue with patients’ information, visits, waits and who is on call"),
    Scope.OPEN: N_("open visits, make patient links, follow and withdraw visits that were opened so"),
    Scope.STAFF: N_("assign, unassign and decline as an administrator, and manage webhooks"),
}
"""Scope -> what a key with this scope allows a program to do, in words for pages."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key. `label` is the program's name; staff see it as the name of the actor."""

    id: str
    label: str
    scopes: tuple[Scope, ...]
    hash: str
    made_ms: int
    made_by: str

    def allows(self, scopes: Collection[Scope]) -> bool:
        """Return whether the key has one of these scopes; True if `scopes` is empty."""
        return not scopes or any(scope in self.scopes for scope in scopes)


class Count(NamedTuple):
    """The number of requests in the current period of WINDOW_MS, and the time in s until the period ends."""

    requests: int
    ends_s: int


class ApiKeys:
    """Reads and changes the API keys of all organisations."""

    def __init__(self, redis: Redis) -> None:
        # The type is Any, because the types of redis-py do not know that answers are bytes.
        self._redis: Any = redis
        self._add: Any = redis.register_script(ADD)
        self._count: Any = redis.register_script(COUNT)

    async def add(
        self, organisation: str, label: str, scopes: Collection[Scope], by: str
    ) -> tuple[ApiKey, str]:
        """Make a key; return it and its token, which cannot be shown again.

        `label`: the program's name; `scopes`: the rights of the key; `by`: the person who makes it. Raises
        `ApiKeyError` if a value is not allowed or there are too many keys.
        """
        label = " ".join(label.split())
        if len(label) not in LABEL:
            raise ApiKeyError(N_("Write a name of 1 to 100 characters."))
        if not scopes:
            raise ApiKeyError(N_("Choose at least one thing that the key is good for."))
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        async with answering():
            seconds, micros = await self._redis.time()
            key = ApiKey(
                id=key_id,
                label=label,
                scopes=tuple(scope for scope in Scope if scope in scopes),
                hash=_hash(secret),
                made_ms=seconds * 1000 + micros // 1000,
                made_by=by,
            )
            added = await self._add(
                keys=[keys.API_KEYS(organisation)], args=[key_id, msgspec.json.encode(key), MOST_KEYS]
            )
        if not added:
            raise ApiKeyError(
                N_("There are as many keys as there can be; revoke one that is not used any more.")
            )
        return key, f"gr_{key_id}_{secret}"

    async def revoke(self, organisation: str, key_id: str) -> bool:
        """Make the key invalid; return False if the key does not exist."""
        async with answering():
            gone = await self._redis.hdel(keys.API_KEYS(organisation), key_id)
            await self._redis.hdel(keys.API_USED(organisation), key_id)
        return bool(gone)

    async def list(self, organisation: str) -> list[tuple[ApiKey, int | None]]:
        """Return all keys, the oldest first, each with the time of its last use.

        The time is in ms since 1970, to the minute; None if the key was never used.
        """
        async with answering():
            kept = await self._redis.hvals(keys.API_KEYS(organisation))
            used = await self._redis.hgetall(keys.API_USED(organisation))
        found = sorted((msgspec.json.decode(data, type=ApiKey) for data in kept), key=lambda k: k.made_ms)
        return [(key, int(used[key.id.encode()]) if key.id.encode() in used else None) for key in found]

    async def find(self, organisation: str, token: str) -> ApiKey | None:
        """Return the API key whose secret is `token`; None if the token is unknown, revoked, or of another
        organisation.
        """
        found = TOKEN.fullmatch(token)
        if found is None:
            return None
        async with answering():
            kept = await self._redis.hget(keys.API_KEYS(organisation), found[1])
        key = None if kept is None else msgspec.json.decode(kept, type=ApiKey)
        return key if key is not None and hmac.compare_digest(key.hash, _hash(found[2])) else None

    async def count(self, organisation: str, key: ApiKey) -> Count:
        """Count a request with this key; return how many there were in the current period (`Count`)."""
        return await self._counted(organisation, f"key:{key.id}", key.id)

    async def count_wrong(self, organisation: str, address: str) -> Count:
        """Count a request without a valid key from an IP address; return how many there were in the current period.

        All addresses of an IPv6 network (/64) are counted together.
        """
        return await self._counted(organisation, f"wrong:{address}", "")

    async def _counted(self, organisation: str, who: str, used: str) -> Count:
        names = [keys.API_RATE(organisation, who), keys.API_USED(organisation)]
        async with answering():
            requests, left_ms = await self._count(keys=names, args=[WINDOW_MS, used])
        return Count(int(requests), max(1, -(-int(left_ms) // 1000)))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
