"""Tests which notifications of a person a worker reads from the store.

Tests also which position among them is marked as read for a given time. The store is a sorted set in memory.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.notices import Notices, read_until
from signalling.visit.record import Mark, Notice
from tests.signalling.visits import ORG, T0

KEY, SEAL = keys.BELL(ORG, "osei"), Seal({b"1": b"k" * 32})
DAY_MS = 86_400_000


def sealed(at_ms: int, person: str = "osei") -> bytes:
    """Return a stored notification with this time."""
    notice = Notice(id=f"n_{at_ms}", kind="assigned", at_ms=at_ms)
    return SEAL.close(msgspec.msgpack.encode(notice), f"{ORG}/bell/{person}")


class InMemory:
    """A sorted set of notifications, the newest first: (bytes, score).

    `mark`: the stored record of the newest notification that the person has read, or None.
    """

    def __init__(self, *kept: tuple[bytes, float], mark: Mark | None = None) -> None:
        self.kept, self.mark = list(kept), mark
        self.asked: list[tuple[Any, ...]] = []
        store: Any = SimpleNamespace(redis=self, seal=SEAL, load=self._load)
        self.notices = Notices(store)

    async def _load(self, *_: Any) -> tuple[Mark | None, int]:
        return self.mark, T0

    def pipeline(self, *, transaction: bool) -> Any:
        assert not transaction, "a transaction would need a connection of its own"

        def asked(name: str) -> Any:
            return lambda *args, **how: self.asked.append((name, *args, *how.items()))

        return SimpleNamespace(
            execute=self._execute, **{name: asked(name) for name in ("zremrangebyscore", "zrange", "zcount")}
        )

    async def _execute(self) -> list[Any]:
        return [0, [member for member, _ in self.kept], 7]

    async def zrange(self, key: str, first: int, last: int, *, desc: bool, withscores: bool) -> Any:
        assert (key, first, last, desc, withscores) == (KEY, 0, 99, True, True)
        return self.kept


@pytest.mark.parametrize(
    ("mark", "place"),
    [
        (None, 0),
        (Mark(id="osei", version=1, until_ms=50, place=60), 60),
        (Mark(id="osei", version=1, until_ms=50), 50),
    ],
)
async def test_the_hundred_newest_notifications_of_ninety_days_are_read(
    mark: Mark | None, place: int
) -> None:
    store = InMemory((sealed(20), 20.0), (sealed(10), 10.0), mark=mark)
    assert read_until(mark) == place
    found, unread = await store.notices.newest(ORG, "osei")
    assert ([notice.id for notice in found], unread) == (["n_20", "n_10"], 7)
    assert store.asked == [
        ("zremrangebyscore", KEY, "-inf", T0 - 90 * DAY_MS),
        ("zrange", KEY, 0, 99, ("desc", True)),
        ("zcount", KEY, f"({place}", "+inf"),
    ]


@pytest.mark.parametrize(
    ("until_ms", "place"), [(9, 0), (10, 31), (15, 31), (20, 33), (25, 33), (30, 32), (99, 33)]
)
async def test_a_time_is_marked_at_the_position_of_its_notification_or_of_the_newest_before(
    until_ms: int, place: int
) -> None:
    # The clock was set back between the notifications of the times 30 and 20.
    store = InMemory((sealed(20), 33.0), (sealed(30), 32.0), (sealed(10), 31.0))
    assert await store.notices.place(ORG, "osei", until_ms) == place


def test_another_persons_notification_cannot_be_opened() -> None:
    notices = InMemory().notices
    assert notices.opened(ORG, "osei", sealed(5)).at_ms == 5
    with pytest.raises(SealError):
        notices.opened(ORG, "lin", sealed(5))
