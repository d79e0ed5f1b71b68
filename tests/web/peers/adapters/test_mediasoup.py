"""Tests the load tester's adapter for mediasoup with a small server that takes the same commands as mediasoup's.

If the real mediasoup was built on this machine, it is tested too.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from media.protocols.codecs import OPUS, VP8
from tests.benchmarks.others.mediasoup import WORKER
from tests.benchmarks.others.setup import cache
from tests.benchmarks.others.stacks import SERVERS
from tests.limits import WAIT_S
from tests.web.peers.adapters.playing import all_are_called
from web.peers.adapters.adapter import Server
from web.peers.adapters.mediasoup import MediasoupCall
from web.peers.errors import EntryError, RefusedError
from web.peers.media.calls import LightCall

BUILT = cache() / "mediasoup" / "mediasoup-worker"
NODE = shutil.which("node") or ""
UNTIL = {"joined": {"joined", "opened"}, "opened": {"opened"}, "closed": {""}}
"""State for which a `wait` command waits -> the states of the room that end the wait; "" means no room."""


class Rooms:
    """A server that takes the commands of the load tester's adapter for mediasoup, and forwards no media.

    `port`: the port to which peers send their ICE checks. `keeps`: False if the server answers a join, but creates no
    room.
    """

    def __init__(self, port: int) -> None:
        self.rooms: dict[str, str] = {}
        self.keeps = True
        self.joins: list[dict[str, Any]] = []
        self._address = {"ufrag": "theirs", "password": "secret", "host": "127.0.0.1", "port": port}
        self._news = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.Response:
        """Carry out one command."""
        command = await request.json()
        room = command["call"]
        async with self._news:
            match command["what"]:
                case "join":
                    self.joins.append(command)
                    if self.keeps:
                        self.rooms.setdefault(room, "joined")
                    self._news.notify_all()
                    return web.json_response(self._address)
                case "open":
                    self.rooms[room] = "opened"
                case "close":
                    self.rooms.pop(room, None)
                case "wait":
                    await self._news.wait_for(lambda: self.rooms.get(room, "") in UNTIL[command["until"]])
                case "link" if room not in self.rooms:
                    return web.json_response({"error": "no such call"})
            self._news.notify_all()
        return web.json_response({})


@pytest.fixture
def ice() -> Iterator[socket.socket]:
    """The socket at which the server receives ICE checks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as received:
        received.bind(("127.0.0.1", 0))
        received.setblocking(False)
        yield received


@pytest.fixture
async def rooms(ice: socket.socket) -> AsyncIterator[tuple[Rooms, Server]]:
    rooms, app = Rooms(ice.getsockname()[1]), web.Application()
    app.router.add_post("/", rooms.handle)
    async with TestServer(app) as running, aiohttp.ClientSession() as http:
        yield rooms, Server(str(running.make_url("/")), http, WAIT_S)


def with_media(person: MediasoupCall) -> MediasoupCall:
    person.media = LightCall(lambda: None)
    return person


async def test_a_provider_and_a_patient_meet_in_the_room_of_the_patient(
    rooms: tuple[Rooms, Server], ice: socket.socket
) -> None:
    served, server = rooms
    patient, provider = (with_media(MediasoupCall(server, name)) for name in ("patient", "provider"))
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(patient.enter(), provider.enter())
        calling = asyncio.create_task(provider.call("patient"))
        await patient.called()
        assert not calling.done()
        await patient.answer()
        await calling
        assert b"theirs:" in await asyncio.get_running_loop().sock_recv(ice, 2048)
        await provider.hang_up()
        await patient.ended()
        await asyncio.gather(patient.leave(), provider.leave())
        await asyncio.gather(patient.media.close(), provider.media.close())
    assert served.rooms == {}
    assert {join["call"] for join in served.joins} == {"patient"}
    assert all(join["types"] == {"opus": OPUS.payload_type, "vp8": VP8.payload_type} for join in served.joins)
    assert all(len(join["fingerprint"].split(":")) == 32 for join in served.joins)
    assert len({ssrc for join in served.joins for ssrc in join["ssrcs"].values()}) == 4


async def test_a_refused_command_is_an_error_with_the_reason_of_the_server(
    rooms: tuple[Rooms, Server],
) -> None:
    served, server = rooms
    patient = with_media(MediasoupCall(server, "patient"))
    served.keeps = False
    with pytest.raises(RefusedError, match="no such call") as refused:
        await patient.answer()
    assert refused.value.code == "mediasoup"
    await patient.media.close()


async def test_a_server_that_is_not_there_or_is_another_is_one_sentence(rooms: tuple[Rooms, Server]) -> None:
    _, server = rooms
    for url, why in (
        (f"{server.url}elsewhere", "is no server for"),
        ("http://127.0.0.1:1", "nobody answers at"),
    ):
        with pytest.raises(EntryError, match=why):
            await MediasoupCall(Server(url, server.http, WAIT_S), "patient").enter()


if BUILT.exists() and NODE:

    async def test_providers_call_several_patients_in_turn_on_a_real_mediasoup() -> None:
        program = await asyncio.create_subprocess_exec(
            NODE,
            str(SERVERS / "mediasoup" / "server.cjs"),
            str(BUILT.parent),
            "0",
            stdout=PIPE,
            env={**os.environ, WORKER: str(BUILT)},
        )
        try:
            assert program.stdout is not None
            async with asyncio.timeout(WAIT_S):
                port = json.loads(await program.stdout.readline())["port"]
            await all_are_called(f"http://127.0.0.1:{port}", "mediasoup")
        finally:
            program.terminate()
            await program.wait()
