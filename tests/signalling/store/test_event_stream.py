"""Tests how the events of an organisation are read from a real store, and when a new epoch begins."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.event_stream import (
    STREAM_LENGTH,
    EventStream,
    Pulse,
    StreamEntry,
    StreamHead,
    decode_entry,
    mark_of,
    new_epoch,
)
from tests.signalling.clinic import ORG


def entry(number: int) -> StreamEntry:
    return StreamEntry("visit", "v_1", number, "saved", number, b"%040d" % number)


async def written(valkey: Redis, *numbers: int) -> EventStream:
    """Write events with these numbers, and the head of the stream (epoch, newest number); return the stream."""
    for number in numbers:
        data = msgspec.msgpack.encode(entry(number))
        await valkey.xadd(keys.EVENTS(ORG), {"e": data}, id=f"{number}-0")
    await valkey.hset(
        keys.HEAD(ORG), mapping={"epoch": "e_1", "seq": numbers[-1], "mark": b"mark", "store": "here"}
    )
    return EventStream(valkey)


def test_an_event_is_known_by_the_first_32_bytes_of_its_record() -> None:
    assert STREAM_LENGTH == 4096
    assert mark_of(entry(7)) == b"0" * 32
    assert decode_entry(msgspec.msgpack.encode(entry(7))) == entry(7)
    assert new_epoch().startswith("e_")
    assert (len(new_epoch()), new_epoch() == new_epoch()) == (14, False)


async def test_the_events_are_read_by_their_numbers(valkey: Redis) -> None:
    stream = EventStream(valkey)
    assert (await stream.head(ORG), await stream.after(ORG, 0)) == (StreamHead("", 0), [])
    stream = await written(valkey, 5, 6, 7)
    head = StreamHead("e_1", 7, b"mark", "here")
    assert await stream.head(ORG) == head
    assert await stream.after(ORG, 5) == [(6, entry(6)), (7, entry(7))]
    assert [await stream.at(ORG, number) for number in (6, 8)] == [entry(6), None]
    end = await stream.end(ORG, 6, 2)
    assert (end.head, end.events, end.newest) == (head, [(7, entry(7))], [entry(7), entry(6)])


async def test_the_pulse_of_each_organisation_has_the_deadlines_that_have_passed(valkey: Redis) -> None:
    stream = await written(valkey, 5)
    await valkey.zadd(keys.DEADLINES(ORG), {"v_1": 10, "v_2": 20, "v_3": 21})
    found = await stream.pulses(["other", ORG], 20)
    assert found == [
        Pulse(StreamHead("", 0), []),
        Pulse(StreamHead("e_1", 5, b"mark", "here"), [("v_1", 10), ("v_2", 20)]),
    ]
    assert [pulse.due for pulse in await stream.pulses([ORG], 20, 1)] == [[("v_1", 10)]]


async def test_a_new_epoch_begins_once(valkey: Redis) -> None:
    stream = await written(valkey, 5)
    assert not await stream.begin_epoch(ORG, "epoch", "another")
    assert await stream.begin_epoch(ORG, "epoch", "e_1", "there")
    after = await stream.head(ORG)
    assert (after.epoch == "e_1", after.store) == (False, "there")
    assert not await stream.begin_epoch(ORG, "epoch", "e_1")
    assert await stream.begin_epoch(ORG, "store", "there")
    await valkey.hdel(keys.HEAD(ORG), "store")
    await stream.adopt(ORG, "adopted")
    await stream.adopt(ORG, "too late")
    assert (await stream.head(ORG)).store == "adopted"


async def test_one_store_has_one_identity(valkey: Redis) -> None:
    first, second = await EventStream(valkey).identities([ORG, "other"])
    assert first == second == (await valkey.info("server"))["run_id"]
