"""Pings to every socket of this worker, and an end to those that answer nothing (PROTOCOL.md#connection).

One clock for all: sockets stand in as many slots as there are ticks in a round, so that each tick pings its share.
A timer and a task for each socket, as web frameworks have it, cost more than all news of a quiet clinic.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from signalling.hub import PING, frame

ROUND_S = 25.0
TICK_S = 0.5
SLOTS = round(ROUND_S / TICK_S)
# Ticks after its ping in which a socket must have said something. A tick less than half a round, so that with all
# timers late a dead peer is seen offline within a round and a half.
ANSWERED_BY = SLOTS // 2 - 1
_PING = frame(b"", PING)
log = structlog.get_logger()


class Pinged(Protocol):
    """A socket. `heard_s` is when it last said anything, by the monotonic clock."""

    heard_s: float
    open: bool

    def write(self, data: bytes, /) -> None: ...
    def give_up(self) -> None: ...


class Heartbeat:
    """See the module. `run` is owned by the worker."""

    def __init__(self) -> None:
        self._slots: list[list[Pinged]] = [[] for _ in range(SLOTS)]
        self._beaten_s = [0.0] * SLOTS
        self._at = 0

    def watch(self, socket: Pinged) -> None:
        """Ping a socket from now on, until it is no longer open; first in a whole round."""
        self._slots[self._at].append(socket)

    async def run(self) -> None:
        """Tick until cancelled."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            # Whoever slept for longer (a suspended machine) has not read yet what the others answered.
            self.tick(now_s, judge=now_s - last_s < 2 * TICK_S)
            last_s = now_s

    def tick(self, now_s: float, *, judge: bool = True) -> None:
        """Ping the next slot, and end those pinged half a round ago that were silent since."""
        self._at = at = (self._at + 1) % SLOTS
        pinged = (at - ANSWERED_BY) % SLOTS
        if judge:
            for socket in self._slots[pinged]:
                if socket.open and socket.heard_s < self._beaten_s[pinged]:
                    _alone(socket.give_up)
        self._slots[at] = [socket for socket in self._slots[at] if socket.open]
        self._beaten_s[at] = now_s
        for socket in self._slots[at]:
            _alone(socket.write, _PING)


def _alone(act: Callable[..., None], *args: Any) -> None:
    """Do something to one socket: whatever becomes of it, the others are pinged and judged."""
    try:
        act(*args)
    except Exception:
        log.exception("heartbeat.failed")
