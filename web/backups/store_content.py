"""Reads all keys of a store that does not change meanwhile, and writes them into an empty store.

Keys that expire are left out, because a session or a link that was revoked since would be valid again. Keys
are read as values. The store's own format (DUMP) is not used, because it differs between versions and keeps
erased entries of a stream.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import redis

from signalling.store import keys

AT_ONCE = 500
PART_BYTES = 1 << 20
ARGUMENTS = 1000

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

Entry = tuple[bytes, bytes, list[Any]]
"""A key's name, its type, and its values in the order in which the store returns them."""


def read(store: "redis.Redis") -> Iterator[tuple[int, list[Entry]]]:
    """Yield the content of a store in groups of about a mebibyte, each with the number of keys read so far."""
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


def write(store: "redis.Redis", entries: Sequence[Entry]) -> None:
    """Write entries into a store; each replaces the value of its key."""
    pipe: Any = store.pipeline(transaction=False)
    for entry in entries:
        for command in commands(entry):
            pipe.execute_command(*command)
    pipe.execute()


def commands(entry: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the commands that give a key the values of an entry."""
    name, kind, values = entry
    yield "DEL", name
    if kind == b"stream":
        yield from (("XADD", name, number, *fields) for number, fields in values)
        return
    if kind == b"zset":
        values = [part for at in range(0, len(values), 2) for part in (values[at + 1], values[at])]
    verb = {b"string": "SET", b"list": "RPUSH", b"set": "SADD", b"hash": "HSET", b"zset": "ZADD"}[kind]
    for at in range(0, len(values), ARGUMENTS):
        yield verb, name, *values[at : at + ARGUMENTS]
