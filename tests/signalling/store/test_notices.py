"""Tests a person's notifications: which are shown, and how the position of a given time among them is found."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.notices import SHOWN, Notices
from signalling.store.records import Store
from signalling.visit.record import Notice
from tests.signalling.visits import ORG

PERSON = "u_osei"


async def test_a_bell_shows_the_newest_and_finds_the_place_of_a_time_among_them(valkey: Redis) -> None:
    seal = Seal({b"1": b"k" * 32})
    notices = Notices(Store(valkey, seal))
    place = f"{ORG}/bell/{PERSON}"
    now_ms = (await valkey.time())[0] * 1000
    kept = [Notice(id=f"n_{number}", kind="assigned", at_ms=now_ms + number) for number in range(SHOWN + 5)]
    sealed = [seal.close(msgspec.msgpack.encode(notice), place) for notice in kept]
    await valkey.zadd(
        keys.BELL(ORG, PERSON), {data: notice.at_ms + 7 for data, notice in zip(sealed, kept, strict=True)}
    )
    shown, unread = await notices.newest(ORG, PERSON)
    assert (shown, unread) == (kept[: -SHOWN - 1 : -1], SHOWN + 5)
    last_ms = kept[-1].at_ms
    assert await notices.place(ORG, PERSON, last_ms) == last_ms + 7
    assert await notices.place(ORG, PERSON, last_ms + 1) == last_ms + 7, "that of the newest before it"
    assert await notices.place(ORG, PERSON, now_ms) == 0, "it is no longer shown"
