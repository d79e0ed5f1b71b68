"""Encrypts the records of a whole store with another key, while the store is in use. A cluster is not supported.

Each record is replaced only if it still has the bytes that were read, so that no newer write is lost. Events that are
encrypted with the old key are removed from the streams; a worker that needs one of them loads a snapshot instead.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.encryption import Seal, prefix_of
from signalling.store.jobs import Jobs
from signalling.store.unavailable import answering

PLACES: Mapping[keys.Key, str] = {
    keys.VISIT: "{0}/visit/{1}",
    keys.HISTORY: "{0}/history/{1}",
    keys.LINE: "{0}/line/{1}",
    keys.PHOTOS: "{0}/photo/{1}/{at}",
    keys.CALLS: "{0}/calls/{1}",
    keys.PAST: "{0}/past/{1}",
    keys.STAFF_MEMBER: "{0}/staff/{1}",
    keys.BELL: "{0}/bell/{1}",
    keys.MARK: "{0}/mark/{1}",
    keys.WATCH: "{0}/watch/{1}",
    keys.APPOINTMENT: "{0}/appointment/{1}",
    keys.JOBS: "{0}/job",
    keys.QUEUE: "{0}/job",
    keys.DEAD_JOBS: "{0}/job",
    keys.TEXT_SERVICE: "{0}/text-service",
    keys.VISIT_DEVICES: "{0}/{1}/device",
    keys.STAFF_DEVICES: "{0}/{1}/device",
    keys.AUDIT_QUEUE: "{0}/audit",
    keys.EMERGENCIES: "{0}/emergency",
    keys.SECOND_FACTOR: "{0}/second_factor/{1}",
    keys.WEBHOOKS: "{0}/webhook",
}
"""Kind of key -> the place in the store for which its values are encrypted.

{0} and {1} are parts of the key's name, {at} is the field of a hash.
"""
LARGE = frozenset({keys.PHOTOS})
"""Kinds of keys that may have megabytes. A script reads only one such key, because the store does nothing else during a
script.
"""
AT_ONCE, EVENTS_AT_ONCE, SCANNED = 20, 200, 500

_FIND = """
local found = {}
for i, key in ipairs(KEYS) do
  local function look(at, value)
    if string.sub(value, 1, #ARGV[1]) == ARGV[1] then found[#found + 1] = {i - 1, at, value} end
  end
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then look('', redis.call('GET', key)) end
  if kind == 'list' then
    for n, value in ipairs(redis.call('LRANGE', key, 0, -1)) do look(tostring(n - 1), value) end
  end
  if kind == 'hash' then
    local all = redis.call('HGETALL', key)
    for n = 1, #all, 2 do look(all[n], all[n + 1]) end
  end
  if kind == 'zset' then
    for _, value in ipairs(redis.call('ZRANGE', key, 0, -1)) do look('', value) end
  end
end
return found
"""
_SWAP = """
local swapped = 0
for i, key in ipairs(KEYS) do
  local at, old, new = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local kind, done = redis.call('TYPE', key).ok, true
  if kind == 'string' and redis.call('GET', key) == old then
    redis.call('SET', key, new, 'KEEPTTL')
  elseif kind == 'list' and redis.call('LINDEX', key, at) == old then
    redis.call('LSET', key, at, new)
  elseif kind == 'hash' and redis.call('HGET', key, at) == old then
    redis.call('HSET', key, at, new)
  elseif kind == 'zset' and redis.call('ZSCORE', key, old) then
    redis.call('ZADD', key, redis.call('ZSCORE', key, old), new)
    redis.call('ZREM', key, old)
  else
    done = false
  end
  if done then swapped = swapped + 1 end
end
return swapped
"""
_NAMES = [
    (kind, re.compile("(.+)".join(map(re.escape, re.split("<[a-z]+>", kind.pattern)))))
    for kind in (*PLACES, keys.EVENTS)
]


class Kept(NamedTuple):
    """A key that exists in the store, and whose values are encrypted.

    `parts`: the ids in its name, in order, such as the organisation's id and the visit's id.
    """

    name: str
    kind: keys.Key
    parts: tuple[str, ...]


class Passed(NamedTuple):
    """The result of a search for values that are encrypted with the old key.

    `found`: how many values were encrypted with the old key. `changed`: how many of these now have the new key.
    """

    found: int
    changed: int


def kept(name: str) -> Kept | None:
    """Return the store's key with this name, and its kind and parts; None if the key's values are not encrypted."""
    for kind, pattern in _NAMES:
        if match := pattern.fullmatch(name):
            return Kept(name, kind, match.groups())
    return None


class Resealing:
    """Encrypts a store again: values that are encrypted with the key whose id is `old` are encrypted with the newest
    key of `seal`.
    """

    def __init__(self, redis: Redis, seal: Seal, old: bytes) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._prefix = prefix_of(old)
        self._find: Any = redis.register_script(_FIND)
        self._swap: Any = redis.register_script(_SWAP)

    async def look(self, progress: Callable[[int, int], None]) -> Passed:
        """Read all encrypted values of the store once; replace each that is encrypted with the old key.

        The new value has the same content, encrypted with the new key. Events that are encrypted with the old key are
        removed. Return how many values had the old key, and how many of them were replaced or removed.

        `progress` is called with the number of keys read so far, and the number of all keys. Raises `SealError` with
        the name of the key if a value cannot be decrypted, `UnavailableError` if the store does not answer.
        """
        found = changed = 0
        async with answering():
            async for batch in self._batches(progress):
                if batch[0].kind is keys.EVENTS:
                    passed = await self._trim(batch[0].name)
                else:
                    passed = await self._reseal(batch)
                found, changed = found + passed.found, changed + passed.changed
        return Passed(found, changed)

    async def _batches(self, progress: Callable[[int, int], None]) -> AsyncIterator[list[Kept]]:
        """Yield all keys with encrypted values, in lists that are short enough for one script.

        `progress`: called with (the number of keys looked at, the number of all keys).
        """
        whole, looked, cursor = await self._redis.dbsize(), 0, 0
        while True:
            cursor, names = await self._redis.scan(cursor, count=SCANNED)
            small = list[Kept]()
            for one in filter(None, map(kept, (name.decode() for name in names))):
                if one.kind is keys.EVENTS or one.kind in LARGE:
                    yield [one]
                else:
                    small.append(one)
            for at in range(0, len(small), AT_ONCE):
                yield small[at : at + AT_ONCE]
            looked += len(names)
            progress(looked, max(looked, whole))
            if not cursor:
                return

    async def _reseal(self, batch: list[Kept]) -> Passed:
        found = await self._find(keys=[one.name for one in batch], args=[self._prefix])
        swaps, changed = list[tuple[str, bytes, bytes, bytes]](), 0
        for number, at, old in found:
            one = batch[number]
            new = (
                await asyncio.to_thread(self._other, one, at, old)
                if one.kind in LARGE
                else self._other(one, at, old)
            )
            if one.kind in (keys.JOBS, keys.QUEUE):
                organisation, *queue = one.parts
                changed += await Jobs(self._redis, self._seal, *queue).reseal(organisation, old, new)
            else:
                swaps.append((one.name, at, old, new))
        if swaps:
            args = [part for swap in swaps for part in swap[1:]]
            changed += int(await self._swap(keys=[swap[0] for swap in swaps], args=args))
        return Passed(len(found), changed)

    def _other(self, one: Kept, at: bytes, old: bytes) -> bytes:
        """Return the content of the encrypted bytes `old`, encrypted with the new data key.

        `one`: the key of the store whose value contains these bytes. `at`: the field of the bytes in a hash, or their
        index in a list; b"" for a value of another type. Raises `SealError` if the bytes cannot be decrypted; its
        message begins with the name of the store's key.
        """
        place = PLACES[one.kind].format(*one.parts, at=at.decode())
        try:
            return self._seal.close(self._seal.open(old, place), place)
        except SealError as problem:
            raise SealError(f"{one.name}: {problem}") from None

    async def _trim(self, stream: str) -> Passed:
        """Remove the newest event that has data encrypted with the old key, and all older events.

        In the result, `found` and `changed` are both the number of removed events.
        """
        start, last = "-", b""
        while found := await self._redis.xrange(stream, min=start, count=EVENTS_AT_ONCE):
            old = [name for name, fields in found if any(self._prefix in value for value in fields.values())]
            last = old[-1] if old else last
            start = "(" + found[-1][0].decode()
        if not last:
            return Passed(0, 0)
        after = int(last.partition(b"-")[0]) + 1
        removed = int(await self._redis.xtrim(stream, minid=f"{after}-0", approximate=False))
        return Passed(removed, removed)
