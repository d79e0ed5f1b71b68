"""Measures the cost of sending one message to many sockets on this machine: a single process that only writes.

This is the part of the cost of a fan-out (one message to many sockets) that no server can avoid, because the
kernel does the work. Machines differ in speed: on a machine other than that for which a target was set, the
ratio of our server's cost to this figure shows how much the server adds.
"""

import asyncio
import time
from collections.abc import Callable

import uvloop

from tests.benchmarks.process import Child, ChildError
from tests.limits import WAIT_S
from tests.ports import free_ports

MESSAGE = bytes(450)  # a message as long as a row of On-Demand Requests
HOST = "127.0.0.1"
PER_TURN = 64
READY_S = WAIT_S
Tell = Callable[[float], None]


def write_us(sockets: int, rate: float, seconds: float) -> float:
    """Return the CPU time of one write in µs, if each of `sockets` sockets is written to `rate` times a second.

    The measurement lasts `seconds`. Raises ChildError if a process of the measurement fails.
    """
    (port,) = free_ports(1)
    writer = Child(write_all, port, sockets, rate, seconds)
    writer.wait_for(0.1, READY_S)
    reader = Child(read_all, port, sockets)
    try:
        found = writer.result(READY_S + seconds * 3)
        if not isinstance(found, float):
            raise ChildError("no figure")
        return found
    finally:
        reader.stop()


def write_all(tell: Tell, port: int, sockets: int, rate: float, seconds: float) -> float:
    """Write to all sockets in this child process for `seconds`; return the CPU time of one write in µs.

    `tell`: reports to the parent. `port`: the port to which the sockets connect. `sockets`: the number of
    sockets. `rate`: writes to each socket per second.
    """
    return uvloop.run(_write_all(tell, port, sockets, rate, seconds))


async def _write_all(tell: Tell, port: int, sockets: int, rate: float, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    transports: list[asyncio.WriteTransport] = []

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(transport)  # type: ignore[arg-type]  # uvloop's is one in all but its bases

    async with await loop.create_server(Accepted, HOST, port):
        tell(0.1)
        async with asyncio.timeout(READY_S):
            while len(transports) < sockets:  # noqa: ASYNC110 - they come from another process
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        times, used = round(seconds * rate), time.process_time()
        for _ in range(times):
            await asyncio.sleep(1 / rate)
            for start in range(0, sockets, PER_TURN):
                for transport in transports[start : start + PER_TURN]:
                    transport.write(MESSAGE)
                await asyncio.sleep(0)
        return (time.process_time() - used) / (times * sockets) * 1e6


def read_all(tell: Tell, port: int, sockets: int) -> None:
    """Open `sockets` connections to `port`, and read from them in this child process until the parent ends it.

    `tell`: reports to the parent when all are open.
    """
    uvloop.run(_read_all(port, sockets))


async def _read_all(port: int, sockets: int) -> None:
    loop = asyncio.get_running_loop()
    kept = [await loop.create_connection(asyncio.Protocol, HOST, port) for _ in range(sockets)]
    await asyncio.Event().wait()
    del kept
