"""Tests how many sockets one address and one person may have, before hello and after it (SECURITY.md row 38)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError
from redis.asyncio import Redis

from signalling.clients.client import JSON, SignallingClient
from signalling.errors import ClosedError, RequestError
from signalling.sockets.socket_limits import SocketCounts
from signalling.worker import Limits
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic, headers
from tests.signalling.waits import until

LIMITS = Limits(sockets_before_hello=5, sockets_per_address=8, sockets_per_person=3, hello_s=WAIT_S)


@pytest.fixture
async def one(valkey: Redis) -> AsyncIterator[Clinic]:
    async with clinic(valkey, 1, LIMITS) as opened:
        yield opened


async def upgrade(one: Clinic) -> ClientWebSocketResponse:
    return await one.http.ws_connect(
        one.url(0), protocols=(JSON,), headers=headers(one.provider("Dr Many")), autoping=False
    )


async def refused(one: Clinic) -> int:
    """Send a hello of "Dr Many" that is refused; return the close code of the socket."""
    ws = await upgrade(one)
    await ws.send_json({"type": "hello", "id": 1, "role": "staff"})
    assert (await ws.receive_json(timeout=WAIT_S))["code"] == "too_many_sockets"
    await ws.receive(timeout=WAIT_S)
    assert ws.close_code is not None
    return ws.close_code


async def alive(clients: list[SignallingClient]) -> None:
    assert [type(await client.request("ping")).__name__ for client in clients] == ["dict"] * len(clients)


async def test_s38_an_address_has_a_limit_of_sockets_before_hello_and_the_next_gets_429(one: Clinic) -> None:
    quiet = await one.connect(one.provider("Dr Quiet"))
    waiting = [await upgrade(one) for _ in range(5)]
    for _ in range(20):
        with pytest.raises(WSServerHandshakeError) as told:
            await upgrade(one)
        assert (told.value.status, told.value.headers["Retry-After"]) == (429, "5")  # type: ignore[index]
    assert not any(ws.closed for ws in waiting)
    await alive([quiet])
    await waiting[0].close()
    await until(lambda: one.workers[0].socket_counts.before_hello.total() == 4)
    waiting[0] = await upgrade(one)
    # After its hello, a socket no longer counts for the limit of sockets without a hello.
    await waiting[1].send_json({"type": "hello", "id": 1, "role": "staff"})
    assert (await waiting[1].receive_json(timeout=WAIT_S))["type"] == "welcome"
    await upgrade(one)


async def test_s38_a_person_has_a_limit_of_sockets_and_the_next_hello_is_refused(one: Clinic) -> None:
    many = one.provider("Dr Many")
    clients = [await one.connect(many) for _ in range(3)]
    assert await asyncio.gather(*(refused(one) for _ in range(4))) == [4006] * 4
    await alive([*clients, await one.connect(one.provider("Dr Other"))])
    await clients.pop().close()
    await until(lambda: one.workers[0].socket_counts.by_person.total() == 3)
    await alive([*clients, await one.connect(many)])


async def test_s38_many_sockets_opened_at_once_do_not_exceed_the_limit(one: Clinic) -> None:
    many = one.provider("Dr Many")
    tried = await asyncio.gather(*(one.connect(many) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, SignallingClient) for answer in tried) == 3
    assert sum(isinstance(answer, BaseException) for answer in tried) == 2


async def test_s38_an_address_has_a_limit_of_sockets_after_hello(one: Clinic) -> None:
    clients = [await one.connect(one.provider(f"Dr P{number}")) for number in range(8)]
    assert await refused(one) == 4006
    await alive(clients)


async def test_s38_a_resume_is_accepted_although_the_old_socket_still_counts(one: Clinic) -> None:
    """After a network failure, all sockets resume at the same time, while the server still counts the old sockets."""
    clients = [await one.connect(one.provider(f"Dr P{number}")) for number in range(8)]
    for number, client in enumerate(list(clients)):
        clients.append(await one.connect(one.provider(f"Dr P{number}"), resume=client.welcome["resume"]))
    await alive(clients[8:])
    assert await refused(one) == 4006
    await until(lambda: one.workers[0].socket_counts.by_address.total() == 8)


async def test_s38_a_failed_handshake_leaves_no_count_behind(one: Clinic) -> None:
    for _ in range(12):
        ws = await upgrade(one)
        await ws.send_str("nonsense")
        await ws.close()
    for _ in range(12):
        with pytest.raises((ClosedError, RequestError)):
            await one.connect(one.provider("Dr Many"), resume="r_nonsense")
    await until(lambda: not one.workers[0].socket_counts.before_hello)
    assert not one.workers[0].socket_counts.by_address
    assert not one.workers[0].socket_counts.by_person


def test_s38_a_limit_of_0_means_no_limit() -> None:
    counts, who = SocketCounts(Limits()), Clinic.provider()
    for _ in range(2000):
        assert counts.add_before_hello("203.0.113.5")
        assert counts.allows("203.0.113.5", who)
        counts.add("203.0.113.5", who)
    for _ in range(2000):
        counts.remove_before_hello("203.0.113.5")
        counts.remove("203.0.113.5", who)
    assert (counts.before_hello.total(), counts.by_address.total(), counts.by_person.total()) == (0, 0, 0)
