"""Replaces a worker and the WebSocket of a client in tests without a store or a network, and records their calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from aiohttp import WSMessage, WSMsgType

from signalling.errors import UnavailableError
from signalling.sockets.socket_limits import SocketCounts
from signalling.store.records import Origin
from signalling.visit.record import Actor
from signalling.worker import Limits
from tests.signalling import visits
from tests.signalling.rooms.apart import Noted

STAFF = visits.CLAIMANT
HELLO = {"type": "hello", "id": 1, "role": "staff"}
ORIGIN = Origin("key", 1)


class FakeWs(Noted):
    """Replaces a WebSocket. It returns `messages` one by one, raises each that is an exception, and then closes."""

    def __init__(self, *messages: Any) -> None:
        super().__init__()
        self.messages = list(messages)
        self.ws_protocol: str | None = None
        self.prepared = True
        self.sent: list[dict[str, Any]] = []
        self.invalid: Exception | None = None

    async def prepare(self, request: Any) -> None:
        if self.invalid is not None:
            raise self.invalid

    async def receive(self) -> WSMessage:
        if not self.messages:
            return WSMessage(WSMsgType.CLOSED, None, None)
        message = self.messages.pop(0)
        if isinstance(message, Exception):
            raise message
        if isinstance(message, dict):
            message = WSMessage(WSMsgType.TEXT, json.dumps(message).encode(), None)
        assert isinstance(message, WSMessage)
        return message

    async def send_str(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def pong(self, data: bytes) -> None:
        self.calls.append(("pong", data))

    async def close(self, code: int = 1000, message: bytes = b"") -> None:
        self.calls.append(("close", code, message))


class Tokens:
    """Replaces the resume tokens. `problem`: the error that `redeem` raises, or None.

    `held`: the stored state of the connection, which `redeem` returns.
    """

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.away = False
        self.held = SimpleNamespace(connection="c_held", worker="w-other", pages=("v_1",))
        self.calls: list[tuple[Any, ...]] = []

    async def redeem(self, token: str, actor: Actor) -> Any:
        if self.problem is not None:
            raise self.problem
        return self.held, ORIGIN

    async def issue(self, connection: str, actor: Actor) -> Any:
        return "r_token", ORIGIN

    def key(self, organisation: str, token: str) -> str:
        return "key"

    async def lost(self, origin: Origin) -> None:
        if self.away:
            raise UnavailableError("store")
        self.calls.append(("lost",))

    async def ended(self, *who: Any) -> None:
        self.calls.append(("ended", *who))


class FakeWorker:
    """Replaces a worker. `visit`: the visit in its store. `tasks`: the coroutines that it has started."""

    def __init__(self, ws: FakeWs, **limits: Any) -> None:
        self.id = "w-own"
        self.ws = ws
        self.draining = False
        self.limits = Limits(**limits)
        self.socket_counts = SocketCounts(self.limits)
        self.connections: dict[str, Any] = {}
        self.lingering: set[str] = set()
        self.hellos: set[Any] = set()
        self.hub, self.heartbeat = Noted(), Noted()
        self.tokens = Tokens()
        self.tasks: list[Coroutine[Any, Any, None]] = []
        self.noted: list[tuple[Any, ...]] = []
        self.taken: list[Any] = []
        self.visit: Any = None
        self.problems: list[Exception] = []
        self.memberships: Any = SimpleNamespace(
            draining=False, rejoin=self._note("rejoin"), leave=self._note("leave")
        )
        mirror = SimpleNamespace(visits=SimpleNamespace(taken=self.taken))

        async def get(organisation: str) -> Any:
            return mirror

        async def load(*_: Any) -> Any:
            return self.visit, 0

        self.service: Any = SimpleNamespace(
            mirrors=SimpleNamespace(get=get),
            store=SimpleNamespace(load=load),
            command=self._command,
            clock_ms=lambda: 1234,
        )
        self.services: Any = SimpleNamespace(
            worker=self.id, service=self.service, memberships=self.memberships, spawn=self.spawn
        )
        self.supersede = self._note("supersede")
        self.superseded = self._note("superseded")
        self.lingered = self._note("lingered")
        self.until_store_is_back = self._note("until_store_is_back")

    def _note(self, name: str) -> Any:
        async def noted(*args: Any) -> None:
            self.noted.append((name, *args))

        return noted

    async def _command(self, actor: Actor, visit: str, command: Any, origin: Any = None) -> None:
        self.noted.append(("command", visit, command))
        if self.problems:
            raise self.problems.pop(0)

    def websocket(self, protocols: Any, size: int) -> FakeWs:
        return self.ws

    def spawn(self, work: Coroutine[Any, Any, None]) -> Any:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.append(work)
        return task
