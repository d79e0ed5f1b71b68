"""Tests that a relay answers direct requests only of workers that have the same secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from redis.asyncio import Redis

from signalling.rooms.liveness import Liveness
from signalling.store.encryption import Seal
from signalling.store.records import Store


def test_each_worker_has_its_own_password_that_only_the_secret_gives(valkey: Redis) -> None:
    answered: list[tuple[str, str]] = []
    relay: Any = SimpleNamespace(answer_probes=lambda worker, password: answered.append((worker, password)))
    store = Store(valkey, Seal({b"1": b"k" * 32}))
    for worker, secret in (("w1", b"s"), ("w1", b"s"), ("w1", b"t"), ("w2", b"s")):
        Liveness(store, worker, list, relay, secret * 32)
    assert [worker for worker, _ in answered] == ["w1", "w1", "w1", "w2"]
    assert answered[0] == answered[1]
    assert len({password for _, password in answered}) == 3
    assert all(len(password) == 32 for _, password in answered)
