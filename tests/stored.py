"""Compares the keys in a store with the table of keys in `signalling/store/keys.py`, and reads its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis

from signalling.store import keys


def kind_of(name: str) -> keys.Key | None:
    """Return the row of the table whose pattern matches this name, the longest pattern if several match; None
    if none does.
    """
    return max((key for key in keys.ALL if key.matches(name)), key=lambda key: len(key.pattern), default=None)


def wrong(name: str, type_: str, ttl: int) -> list[str]:
    """Return a text for each way in which the key `name` of the store differs from its row in the table.

    `type_`: its type in Redis. `ttl`: the time in s until it expires, -1 if never.
    """
    kind = kind_of(name)
    if type_ == "none":
        # the key has expired since the keys were listed
        return []
    if kind is None:
        return [f"{name}: not in the table"]
    found = []
    if (kind.erasure is keys.Erasure.EXPIRY) != (ttl != -1):
        found.append(f"{name}: {'expires' if ttl != -1 else 'does not expire'}")
    if type_ != kind.type:
        found.append(f"{name}: {type_} instead of {kind.type}")
    return found


def faults(client: Redis) -> list[str]:
    """Return all differences between the keys in the store and the table, sorted; empty if there are none."""
    store: Any = client
    names = store.keys("*")
    pipe = store.pipeline(transaction=False)
    for name in names:
        pipe.type(name).ttl(name)
    answers = iter(pipe.execute())
    return sorted(
        fault
        for name, type_, ttl in zip(names, answers, answers, strict=True)
        for fault in wrong(name.decode(), type_.decode(), ttl)
    )


def contents(folder: Path) -> Iterator[bytes]:
    """Yield the content of each file in a folder, except those files that the store removes meanwhile."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path.read_bytes()
