"""Runs the product's worker for a test, with a relay that records its rooms, and the gates that let media pass.

The test plays several machines, each with processes of its own. For a machine, one process loads this module, and forks
for each worker; `run` never returns.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import structlog
import uvloop
from aiohttp import web
from msgspec.structs import replace

from media import Relay, RelaySettings
from signalling.errors import UnavailableError
from signalling.service import Accepted
from signalling.sockets.handshake import serve
from signalling.store.encryption import Seal
from signalling.visit.record import Actor, Role
from signalling.worker import Limits, Worker
from tests.faults.machine import BEAT_S, POLICY, SAMPLE_S, now_s, say
from tests.signalling.clinic import ANA, ORG, Organisations, Server, authenticate
from web.config import Settings
from web.server.media_relay import Relay as MediaPort
from web.server.redis_client import connect


class RecordedRoom:
    """A room of the relay that also stores whether its gate is open (media may pass). The worker's samples report
    this.
    """

    def __init__(self, room: Any, name: str, open_rooms: dict[str, list[RecordedRoom]]) -> None:
        self._room, self._name, self._open_rooms = room, name, open_rooms
        self.gate_open = False
        open_rooms.setdefault(name, []).append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._room, name)

    def set_gate(self, open: bool) -> None:
        self.gate_open = open
        self._room.set_gate(open)

    def close(self) -> None:
        rooms = self._open_rooms.get(self._name, [])
        if self in rooms:
            rooms.remove(self)
        if not rooms:
            self._open_rooms.pop(self._name, None)
        self._room.close()


class RecordedRelay:
    """A relay whose rooms are `RecordedRoom`s."""

    def __init__(self, relay: MediaPort) -> None:
        self._relay = relay
        self.open_rooms: dict[str, list[RecordedRoom]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._relay, name)

    def room(self, room_id: str) -> Any:
        return RecordedRoom(self._relay.room(room_id), room_id, self.open_rooms)

    def state(self) -> dict[str, bool]:
        """Return visit -> True if the gate of its room is open (media may pass)."""
        return {name: any(room.gate_open for room in rooms) for name, rooms in self.open_rooms.items()}


def run(url: str, index: int, name: str) -> NoReturn:
    """Serve until the process is killed, or until the machine has ended.

    `url`: the URL of the store. `index`: the worker's index. `name`: its name in the history.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(0)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(worker=name)
    try:
        uvloop.run(_serve(url, index, name))
    except BaseException:  # noqa: BLE001 - a child must not go on in its parent's code
        traceback.print_exc()
    finally:
        os._exit(1)


async def _serve(url: str, index: int, name: str) -> None:
    settings = Settings()
    redis = connect(replace(settings, redis=replace(settings.redis, url=url)))
    relay = RecordedRelay(MediaPort(await Relay.open(RelaySettings(host="127.0.0.1"))))
    worker = Worker(
        redis, Seal({b"1": b"k" * 32}), b"k" * 32, Organisations(**POLICY), relay, Limits(), index
    )
    await worker.start()

    async def socket(request: web.Request) -> web.StreamResponse:
        return await serve(request, worker, authenticate)

    async def arrive(request: web.Request) -> web.Response:
        """Let a patient enter the setup guide, as the page of Meet Now does; return the response."""
        visit, patient = request.query["visit"], request.query["patient"]
        actor = Actor(organisation=ORG, id=f"patient:{visit}", name=patient, role=Role.PATIENT, visit=visit)
        try:
            opened = await worker.service.open(actor, replace(ANA, name=patient), visit)
        except UnavailableError:
            return web.json_response({"answer": "unavailable", "version": 0})
        if not isinstance(opened, Accepted):
            return web.json_response({"answer": opened.code, "version": 0})
        return web.json_response({"answer": "done", "version": opened.version})

    app = web.Application()
    app.router.add_get("/ws", socket)
    app.router.add_post("/arrive", arrive)
    server = Server(app)
    await server.start_server()
    say(worker=name, pid=os.getpid(), url=str(server.make_url("/ws")), id=worker.id)
    parent, last, said_s = os.getppid(), None, 0.0
    while os.getppid() == parent:
        state, at_s = relay.state(), now_s()
        if state != last or at_s - said_s >= BEAT_S:
            say(worker=name, at=at_s, rooms=state)
            last, said_s = state, at_s
        await asyncio.sleep(SAMPLE_S)
