"""Tests breakers: after several failures no message is sent for a while, then there is one attempt.

If this attempt fails too, the next pause is longer. A breaker stores the pauses for one receiver of messages, such
as a webhook's server.
"""

import asyncio

import pytest
import structlog
from redis.asyncio import Redis

from signalling.store import keys
from web.programs import breaker
from web.programs.breaker import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, OPENS_AFTER, Breakers

ORG, HOOK = "demo", "h_1"


async def now_ms(valkey: Redis) -> int:
    """Return the store's time in ms."""
    seconds, micros = await valkey.time()
    return int(seconds) * 1000 + int(micros) // 1000


@pytest.fixture
def breakers(valkey: Redis) -> Breakers:
    """The breakers of an empty store, which pause receivers that fail."""
    return Breakers(valkey)


async def fail(breakers: Breakers, valkey: Redis, times: int) -> None:
    """Record `times` failed attempts to reach a receiver, one after another."""
    for _ in range(times):
        await breakers.failed(ORG, HOOK, await now_ms(valkey))


async def pause_over(valkey: Redis) -> None:
    """Move the end of the pause into the past, so that the pause is over."""
    await valkey.hset(keys.BREAKER(ORG, HOOK), mapping={"until": 1, "opened": 1})


async def test_f42_a_receiver_is_called_until_it_failed_five_times_in_a_row(
    breakers: Breakers, valkey: Redis
) -> None:
    await fail(breakers, valkey, OPENS_AFTER - 1)
    assert await breakers.wait_until_ms(ORG, HOOK) == 0
    await breakers.succeeded(ORG, HOOK)
    await fail(breakers, valkey, OPENS_AFTER - 1)
    assert await breakers.paused(ORG, HOOK, 0) is None
    await fail(breakers, valkey, 1)
    until_ms = await breakers.wait_until_ms(ORG, HOOK)
    assert until_ms > await now_ms(valkey)
    assert await breakers.paused(ORG, HOOK, 0) == (OPENS_AFTER, until_ms)
    assert await breakers.wait_until_ms(ORG, "h_2") == 0, "others are called as before"


async def test_f42_one_attempt_is_made_after_a_pause_and_the_next_pause_is_longer_if_it_fails(
    breakers: Breakers, valkey: Redis
) -> None:
    await fail(breakers, valkey, OPENS_AFTER)
    lengths_ms = []
    for _ in range(8):
        await pause_over(valkey)
        allowed = await asyncio.gather(*(breakers.wait_until_ms(ORG, HOOK) for _ in range(20)))
        assert allowed.count(0) == 1
        began_ms = await now_ms(valkey)
        await breakers.failed(ORG, HOOK, began_ms)
        lengths_ms.append(await breakers.wait_until_ms(ORG, HOOK) - began_ms)
    expected_ms = [min(FIRST_PAUSE_MS << time, LONGEST_PAUSE_MS) for time in range(1, 9)]
    assert all(length >= expected for length, expected in zip(lengths_ms, expected_ms, strict=True))
    await breakers.succeeded(ORG, HOOK)
    assert await breakers.wait_until_ms(ORG, HOOK) == 0


async def test_a_pause_is_listed_and_logged_once_until_the_receiver_takes_something(
    breakers: Breakers, valkey: Redis
) -> None:
    with structlog.testing.capture_logs() as logs:
        await fail(breakers, valkey, OPENS_AFTER - 1)
        assert await breakers.all_paused(ORG, 0) == {}
        await fail(breakers, valkey, 1)
        await pause_over(valkey)
        await fail(breakers, valkey, 1)
        assert [pause.failures for pause in (await breakers.all_paused(ORG, 0)).values()] == [OPENS_AFTER + 1]
        for _ in range(2):
            await breakers.succeeded(ORG, HOOK)
    assert await breakers.all_paused(ORG, 0) == {}
    assert [(entry["event"], entry["kind"]) for entry in logs] == [
        ("receiver.paused", HOOK),
        ("receiver.resumed", HOOK),
    ]


async def test_an_operator_lets_one_attempt_at_a_paused_receiver_be_made_at_once(
    breakers: Breakers, valkey: Redis
) -> None:
    await breakers.probe(ORG, HOOK)
    assert not await valkey.keys("*"), "nothing was wrong"
    await fail(breakers, valkey, OPENS_AFTER)
    await breakers.probe(ORG, HOOK)
    allowed = [await breakers.wait_until_ms(ORG, HOOK) for _ in range(3)]
    assert allowed.count(0) == 1


async def test_f42_attempts_that_began_before_the_pause_do_not_lengthen_it(
    breakers: Breakers, valkey: Redis
) -> None:
    began_ms = await now_ms(valkey) - 10_000
    await fail(breakers, valkey, OPENS_AFTER)
    until_ms = await breakers.wait_until_ms(ORG, HOOK)
    await breakers.failed(ORG, HOOK, began_ms)
    assert await breakers.paused(ORG, HOOK, 0) == (OPENS_AFTER, until_ms)


async def test_f42_a_clock_that_was_set_back_does_not_lengthen_a_pause(
    breakers: Breakers, valkey: Redis
) -> None:
    await fail(breakers, valkey, OPENS_AFTER)
    far_ms = await now_ms(valkey) + 2 * breaker.LONGEST_PAUSE_MS
    await valkey.hset(keys.BREAKER(ORG, HOOK), "until", far_ms)
    assert await breakers.wait_until_ms(ORG, HOOK) == 0
