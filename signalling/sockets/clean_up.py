"""Frees what a worker keeps of a connection after its socket was lost.

A connection lasts longer than its socket: the client may resume it on another socket, at any worker (`handshake.py`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from signalling.errors import UnavailableError
from signalling.sockets.connection import Connection

if TYPE_CHECKING:
    from signalling.worker import Worker

log = structlog.get_logger()
# While the store does not answer, a client cannot resume. A connection whose socket was lost stays in its calls for
# this time in s.
OUTAGE_S = 60.0
# A reload or a resume takes less than this time in s. The other parties of a visit see only after this time
# that a person left.
LINGER_S = 3.0


def socket_ended(worker: Worker, connection: Connection, address: str) -> None:
    """Remove `connection`, whose socket has closed, from this worker's lists and counts of open sockets.

    Everything else that this worker keeps of the connection is freed later, in a task.
    """
    worker.socket_counts.remove(address, connection.actor)
    worker.hub.remove(connection.socket)
    if worker.connections.get(connection.id) is connection:
        del worker.connections[connection.id]
        worker.spawn(_gone(worker, connection))


async def left_behind(worker: Worker, connection: Connection) -> None:
    """Wait for LINGER_S, then free what this worker keeps of a connection that was resumed on another worker."""
    await _linger(worker, connection)
    await _leave_all(worker, connection)


async def _linger(worker: Worker, connection: Connection) -> None:
    worker.lingering.add(connection.id)
    try:
        await worker.lingered(LINGER_S)
    finally:
        worker.lingering.discard(connection.id)


async def _gone(worker: Worker, connection: Connection) -> None:
    """Clean up after a closed socket.

    After `bye` or a long silence, the person leaves the pages at once; otherwise only if the client does not resume the
    connection within LINGER_S.
    """
    lost: asyncio.Task[None] | None = None
    try:
        if connection.received_bye:
            await worker.tokens.ended(connection.origin, connection.id, connection.actor)
        elif connection.socket.silent:
            await worker.tokens.lost(connection.origin)
        elif worker.memberships.draining:
            # This worker stops, so the client resumes on another worker soon, and keeps its pages and its media. If the
            # client does not resume, the other workers remove the connection, because this worker's end is announced.
            await worker.tokens.lost(connection.origin)
            return
        else:
            lost = worker.spawn(_linger(worker, connection))
            await worker.tokens.lost(connection.origin)
            await lost
    except UnavailableError:
        log.info("connection.token_left")
        # While the store does not answer, the client cannot resume. So the client stays in its calls until the store is
        # back, but at most for OUTAGE_S.
        if lost is not None:
            await lost
            await worker.until_store_is_back(OUTAGE_S)
    await _leave_all(worker, connection)


async def _leave_all(worker: Worker, connection: Connection) -> None:
    for visit in list(connection.entered):
        if connection.id in worker.connections:
            return  # the client has resumed on this worker
        try:
            await connection.left(visit)
        except UnavailableError:
            log.info("connection.leave_left_to_sweep", connection=connection.id)
