"""Tests fan-out: frames are valid and in order, slow clients delay nobody, and resumed clients get the updates they
missed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import msgpack
import pytest
import uvloop
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.clients.client import MSGPACK
from signalling.hub import RING, Socket, frame
from signalling.protocol.codec import CODECS
from signalling.protocol.server_messages import QueueStaff
from signalling.protocol.shapes import StaffPart
from signalling.topics.queue import queue_topic
from signalling.visit.record import Actor, Role
from signalling.worker import Limits
from tests.signalling.clinic import ORG, Clinic, clinic, headers
from tests.signalling.screen import Screen, screen
from tests.signalling.waits import until


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
async def test_a_frame_of_any_length_is_read_as_it_was_written(size: int, text: bool) -> None:
    near, far = socket.socketpair()
    data = frame(b"x" * size, 0x1 if text else 0x2)
    reader, writer = await asyncio.open_connection(sock=far)
    near.setblocking(False)
    sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(near, data + b"end"))
    first, second = await reader.readexactly(2)
    assert first == (0x81 if text else 0x82)
    assert second < 128, "a server masks nothing"
    extended = {126: 2, 127: 8}.get(second, 0)
    length = int.from_bytes(await reader.readexactly(extended)) if extended else second
    assert length == size
    assert extended == (0 if size < 126 else 2 if size < 65536 else 8), "the shortest way to say it"
    assert await reader.readexactly(size + 3) == b"x" * size + b"end"
    await sending
    writer.close()
    near.close()


@pytest.mark.parametrize("act", ["write", "send", "abort", "close"])
def test_r24_no_method_of_a_socket_raises_because_its_transport_has_closed(act: str) -> None:
    async def story() -> None:
        near, far = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
        transport.abort()
        await asyncio.sleep(0.01)
        # The transport of uvloop, on which the product runs, raises this error.
        with pytest.raises(RuntimeError):
            transport.write(b"x")
        far.close()
        actor = Actor(organisation=ORG, id="u_x", name="", role=Role.PROVIDER)
        codec = CODECS[MSGPACK]
        dead = Socket(transport, codec, actor, "c_x", 1000, lambda code: transport.write(b"closing"))
        acts: dict[str, Callable[[], None]] = {
            "write": lambda: dead.write(b"x"),
            "send": lambda: dead.send(news(1)),
            "abort": dead.abort,
            "close": lambda: dead.close(1001),
        }
        with capture_logs() as logs:
            acts[act]()
        assert not dead.open
        assert [line["event"] for line in logs] == ([] if act == "abort" else ["hub.socket_died"])

    uvloop.run(story())


async def test_r24_an_update_that_cannot_be_encoded_does_not_stop_other_updates(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        shown = await screen(await one.connect(one.provider(), 0))
        hub, topic, start = one.workers[0].hub, queue_topic(ORG), shown.version
        hub.publish(topic, start + 1, news(start + 1))
        hub.publish(topic, start + 2, replace(news(start + 2), topic="\ud800"))
        hub.publish(topic, start + 3, news(start + 3))
        await shown.reaches(start + 3)
        assert shown.shown == [start + 1, start + 3]


def news(version: int, size: int = 10) -> QueueStaff:
    """Return an update of the queue with this version. `size`: its approximate number of bytes."""
    part = StaffPart(id=f"u_{version}", name="x" * size, role="provider", on_call=True, in_session=False)
    return QueueStaff(topic="queue", version=version, staff=part)


async def test_a_client_that_stops_reading_is_cut_off_and_the_others_lose_nothing(valkey: Redis) -> None:
    async with clinic(valkey, 1, Limits(unsent_bytes=256 * 1024)) as one:
        hub = one.workers[0].hub
        await one.arrive()
        healthy = [await screen(await one.connect(one.provider(f"Dr {i}"), 0)) for i in range(10)]
        deaf = one.provider("Dr Deaf")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=small_socket)) as http:
            ws = await http.ws_connect(one.url(0), protocols=(MSGPACK,), headers=headers(deaf))
            await ws.send_bytes(msgpack.packb({"type": "hello", "id": 1, "role": "staff"}))
            await ws.send_bytes(msgpack.packb({"type": "subscribe", "id": 2, "topic": "queue"}))
            await until(lambda: len(list(hub.subscribers(queue_topic(ORG)))) == 11)
            transport = ws._response.connection.transport  # type: ignore[union-attr]
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()
            start = healthy[0].version
            count = 0
            while len(list(hub.subscribers(queue_topic(ORG)))) == 11:
                count += 1
                assert count < 2000, "it is cut off before that"
                hub.publish(queue_topic(ORG), start + count, news(start + count, 20_000))
                await asyncio.sleep(0)
                if count % 20 == 0:
                    await healthy[0].reaches(start + count)
            for number in range(count + 1, count + 51):
                hub.publish(queue_topic(ORG), start + number, news(start + number))
            for shown in healthy:
                await shown.reaches(start + count + 50)
                assert shown.shown == list(range(start + 1, start + count + 51))
            assert f"{deaf.id}" not in {s.actor.id for s in hub.sockets.values()}
            transport.abort()


def small_socket(address: Any) -> socket.socket:
    """Return a new socket whose receive buffer is small, so that it is soon full."""
    made = socket.socket(address[0], address[1], address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    return made


async def test_a_burst_is_joined_and_keeps_its_order_in_both_codecs(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        shown = [
            await screen(await one.connect(one.provider(f"Dr {name}"), 0, subprotocol=f"greenroom.v1.{name}"))
            for name in ("json", "msgpack")
        ]
        start = shown[0].version
        hub = one.workers[0].hub
        for version in range(start + 1, start + 201):
            hub.publish(queue_topic(ORG), version, news(version))
            if version % 7 == 0:
                await asyncio.sleep(0.001)
        for one_shown in shown:
            await one_shown.reaches(start + 200)
            assert one_shown.shown == list(range(start + 1, start + 201))
        assert shown[0].same_as(shown[1])


async def missed(one: Clinic, held: Screen) -> Screen:
    """Subscribe a new client with the epoch and version that `held` has reached; return its screen after the updates
    that it lacked.
    """
    back = await one.connect(one.provider("Dr Back"), 0)
    again = Screen(back)
    again.version, again.epoch = held.version, held.epoch
    again.rows, again.staff = dict(held.rows), dict(held.staff)
    await back.request("subscribe", topic="queue", epoch=held.epoch, version=held.version)
    return again.drained()


async def test_a_reconnecting_client_gets_exactly_the_updates_that_it_missed(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        await two.arrive(0)
        first = await screen(await two.connect(two.provider(), 0))
        gone = await screen(await two.connect(two.provider("Dr Gone"), 0))
        await gone.client.close()
        patients = [await two.arrive(1) for _ in range(5)]
        await until(lambda: {p.visit for p in patients} <= set(first.drained().rows))
        back = await missed(two, gone)
        assert back.snapshots == 0
        assert len(back.shown) == 5
        assert back.rows == first.rows


@pytest.mark.parametrize("why", ["another epoch", "too old", "from the future"])
async def test_a_client_whose_missed_updates_are_gone_gets_a_snapshot(valkey: Redis, why: str) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        first = await screen(await one.connect(one.provider(), 0))
        gone = await screen(await one.connect(one.provider("Dr Gone"), 0))
        if why == "another epoch":
            gone.epoch = "e_other"
        elif why == "too old":
            hub = one.workers[0].hub
            for version in range(first.version + 1, first.version + RING + 2):
                hub.publish(queue_topic(ORG), version, news(version))
        else:
            gone.version = -5
        back = await missed(one, gone)
        assert back.snapshots == 1
        assert back.rows == first.rows
