"""Sends pings to every socket of this worker, and closes sockets that do not answer (PROTOCOL.md#connection).

Each socket is pinged once in ROUND_S. The sockets are divided into SLOTS groups. One timer serves all sockets: every
TICK_S it pings the sockets of one group. A timer and a task for each socket, as web frameworks have them, would cost
more CPU than all updates of a quiet clinic.
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
# If a client sends nothing in this number of periods of TICK_S after a ping, its socket is closed. These periods are
# together TICK_S shorter than half of ROUND_S, and each socket is pinged every ROUND_S. So a dead client is shown
# offline after at most 1.5 * ROUND_S, even if timers are late.
ANSWERED_BY = SLOTS // 2 - 1
_PING = frame(b"", PING)
log = structlog.get_logger()


class Pinged(Protocol):
    """A socket to ping. `received_s`: the monotonic time in s at which its client last sent anything."""

    received_s: float
    open: bool

    def write(self, data: bytes, /) -> None: ...
    def give_up(self) -> None: ...


class Heartbeat:
    """Pings the sockets of one worker, and closes those whose clients do not answer.

    The worker runs `run` in a task.
    """

    def __init__(self) -> None:
        self._slots: list[list[Pinged]] = [[] for _ in range(SLOTS)]
        self._beaten_s = [0.0] * SLOTS
        self._at = 0

    def watch(self, socket: Pinged) -> None:
        """Ping a socket every ROUND_S until it is closed. The first ping comes after ROUND_S."""
        self._slots[self._at].append(socket)

    async def run(self) -> None:
        """Call `tick`, which pings clients and closes silent sockets, every TICK_S until cancelled."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            # After a longer sleep (a suspended machine) the clients' replies are not read yet, so no socket is closed
            # now.
            self.tick(now_s, judge=now_s - last_s < 2 * TICK_S)
            last_s = now_s

    def tick(self, now_s: float, *, judge: bool = True) -> None:
        """Send a ping to the sockets of the next of the SLOTS groups. `now_s`: the monotonic time in s.

        If `judge` is True, also close the sockets to which the ping was sent ANSWERED_BY calls of `tick` ago, if they
        have sent nothing since then.
        """
        self._at = at = (self._at + 1) % SLOTS
        pinged = (at - ANSWERED_BY) % SLOTS
        if judge:
            for socket in self._slots[pinged]:
                if socket.open and socket.received_s < self._beaten_s[pinged]:
                    _alone(socket.give_up)
        self._slots[at] = [socket for socket in self._slots[at] if socket.open]
        self._beaten_s[at] = now_s
        for socket in self._slots[at]:
            _alone(socket.write, _PING)


def _alone(act: Callable[..., None], *args: Any) -> None:
    """Call `act(*args)`, a method of one socket. Log its exception, so that the loop continues with other sockets."""
    try:
        act(*args)
    except Exception:
        log.exception("heartbeat.failed")
