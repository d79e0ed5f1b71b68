"""Tests the number of unread notifications, also after the store's clock was set back."""

from __future__ import annotations

from redis.asyncio import Redis

from signalling.topics.bell import Unread
from tests.signalling.clinic import ORG, clinic


def test_new_notifications_are_unread_and_older_ones_are_counted() -> None:
    unread = Unread([10, 20], 3)
    assert (len(unread), unread.counted) == (5, frozenset())
    assert unread.add(30) == 6
    assert Unread([], 0, frozenset({"n_1"})).counted == {"n_1"}


def test_reading_up_to_a_time_reads_everything_before_it() -> None:
    assert Unread([10, 20, 30], 3).read(20) == 1
    assert Unread([10, 20, 30], 3).read(25) == 1
    assert Unread([10, 20, 30], 3).read(30) == 0
    assert Unread([10, 20, 30], 3).read(5) == 6, "nothing that is known was read"
    assert Unread([], 3).read(5) == 3


def test_a_clock_that_was_set_back_reads_in_order_of_arrival() -> None:
    assert Unread([100, 50, 60], 0).read(50) == 1
    assert Unread([100, 50, 60], 0).read(100) == 2
    assert Unread([100, 50, 60], 0).read(70) == 0
    assert Unread([50, 60, 50, 70], 0).read(50) == 1


async def test_a_bell_that_is_unsubscribed_gets_no_more_messages(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        client = await one.connect(one.provider())
        await client.request("subscribe", topic="bell")
        assert [name for name in one.workers[0].hub.names(ORG) if "bell" in name]
        await client.request("unsubscribe", topic="bell")
        assert not [name for name in one.workers[0].hub.names(ORG) if "bell" in name]
