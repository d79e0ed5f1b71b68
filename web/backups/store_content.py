"""Reads all keys of a store that does not change during the read, and writes them into an empty store.

Keys that expire are left out: otherwise a session or a link that is revoked after the backup would be valid again after
a restore. Keys are read as values. The store's own format (DUMP) is not used, because it differs between versions and
keeps erased entries of a stream.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgpack
import msgspec
import redis

from signalling.store import keys
from signalling.store.redis_cluster import slot_of

AT_ONCE = 500
PART_BYTES = 1 << 20

_READ = """
local how = {
  string = {'GET'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'}, hash = {'HGETALL'},
  zset = {'ZRANGE', 0, -1, 'WITHSCORES'}, stream = {'XRANGE', '-', '+'}
}
local found = {}
for _, name in ipairs(KEYS) do
  if redis.call('PTTL', name) == -1 then
    local kind = redis.call('TYPE', name).ok
    local value = redis.call(how[kind][1], name, unpack(how[kind], 2))
    found[#found + 1] = {name, kind, type(value) == 'table' and value or {value}}
  end
end
return found
"""

# One call of this script writes a whole part of the backup. This is much faster than one command for each key.
_WRITE = """
local verbs = {string = 'SET', list = 'RPUSH', set = 'SADD', hash = 'HSET', zset = 'ZADD'}
for _, entry in ipairs(cmsgpack.unpack(ARGV[1])) do
  local name, kind, values = unpack(entry)
  redis.call('DEL', name)
  if kind == 'stream' then
    for _, each in ipairs(values) do redis.call('XADD', name, each[1], unpack(each[2])) end
  else
    if kind == 'zset' then
      for at = 1, #values, 2 do values[at], values[at + 1] = values[at + 1], values[at] end
    end
    for at = 1, #values, 1000 do
      redis.call(verbs[kind], name, unpack(values, at, math.min(at + 999, #values)))
    end
  end
end
"""

Entry = tuple[bytes, bytes, list[Any]]
"""A key's name, its type, and its values in the order in which the store returns them."""


def read(store: "redis.Redis") -> Iterator[tuple[int, list[Entry]]]:
    """Yield (the number of keys read so far, entries): the content of a store, in groups of about a mebibyte.

    The key that holds the id of the data key is left out.
    """
    script: Any = store.register_script(_READ)
    cursor, looked, held, size = 0, 0, list[Entry](), 0
    while True:
        answer: Any = store.scan(cursor, count=AT_ONCE)
        cursor, names = answer
        looked += len(names)
        for entry in script(keys=[name for name in names if name != keys.DATA_KEY().encode()]):
            held.append(entry)
            size += len(msgspec.msgpack.encode(entry))
            if size > PART_BYTES:
                yield looked, held
                held, size = [], 0
        if not cursor:
            break
    if held:
        yield looked, held


def write(store: Any, entries: Sequence[Entry]) -> None:
    """Write entries into a store, `redis.Redis` or `redis.RedisCluster`; each replaces the value of its key."""
    for some in _by_slot(entries) if isinstance(store, redis.RedisCluster) else [entries]:
        # Lua in the store can read only the older form of MessagePack, in which bytes and text have the same
        # type.
        data = msgpack.packb(some, use_bin_type=False)
        store.eval(_WRITE, len(some), *(name for name, _, _ in some), data)


def _by_slot(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries in groups, one for each hash slot of a cluster: a script may write to one hash slot only."""
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(slot_of(entry[0]), []).append(entry)
    return list(found.values())
