"""Compares the content of a store with the table of keys."""

from __future__ import annotations

from typing import Any

from redis import Redis

from signalling.store import keys


def kind_of(name: str) -> keys.Key | None:
    """Return the most specific kind of key that has this name; None if there is none."""
    return max((key for key in keys.ALL if key.matches(name)), key=lambda key: len(key.pattern), default=None)


def wrong(name: str, type_: str, ttl: int) -> list[str]:
    """Return the differences of a key from the table. `ttl`: -1 if the key does not expire."""
    kind = kind_of(name)
    if type_ == "none":
        return []  # the key expired meanwhile
    if kind is None:
        return [f"{name}: not in the table"]
    found = []
    if (kind.erasure is keys.Erasure.EXPIRY) != (ttl != -1):
        found.append(f"{name}: {'expires' if ttl != -1 else 'does not expire'}")
    if type_ != kind.type:
        found.append(f"{name}: {type_} instead of {kind.type}")
    return found


def faults(client: Redis) -> list[str]:
    """Return all differences between the store and the table, sorted."""
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
