"""Runs python-socketio with its Redis manager on uvicorn.

The server has a room for the queue and one for each person, and decides claims by the Redis command SET NX. The
script runs in its own environment. Its argument is the store's URL. It prints its port on standard output when
it listens.
"""

import asyncio
import gc
import signal
import socket
import sys
from typing import Any

import redis.asyncio
import socketio
import uvicorn

LONG_S = 300


def events(server: Any, store: Any) -> dict[str, Any]:
    """Return the name of each event that a client may send -> its handler.

    `server`: the socket.io server. `store`: a Redis client.
    """

    async def listen(sid: str, _: object = None) -> None:
        await server.enter_room(sid, "queue")

    async def hello(sid: str, me: str) -> None:
        await server.save_session(sid, {"me": me})
        await server.enter_room(sid, me)

    async def news(sid: str, data: Any) -> None:
        await server.emit("queue.row", data, room="queue")

    async def tell(sid: str, data: Any) -> None:
        await server.emit("told", data["data"], room=data["to"])

    async def claim(sid: str, visit: str) -> None:
        me = (await server.get_session(sid))["me"]
        if await store.set(visit, me, nx=True):
            await server.emit("claimed", {"visit": visit, "by": me}, room=f"patient:{visit}")
            await server.emit("won", visit, to=sid)
        else:
            await server.emit(
                "lost", {"visit": visit, "by": (await store.get(visit) or b"").decode()}, to=sid
            )

    async def release(sid: str, visit: str) -> None:
        await store.delete(visit)
        await server.emit("released", visit, to=sid)

    return {"listen": listen, "hello": hello, "news": news, "tell": tell, "claim": claim, "release": release}


async def main(url: str) -> None:
    """Serve until the process is killed. `url`: the URL of the store."""
    server = socketio.AsyncServer(
        async_mode="asgi",
        client_manager=socketio.AsyncRedisManager(url),
        cors_allowed_origins="*",
        ping_interval=LONG_S,
        ping_timeout=LONG_S,
        transports=["websocket"],
        http_compression=False,
    )
    for name, handler in events(server, redis.asyncio.Redis.from_url(url)).items():
        server.on(name, handler)
    config = uvicorn.Config(
        socketio.ASGIApp(server),
        log_level="warning",
        loop="uvloop",
        http="httptools",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
    )
    # Collect garbage at the signal SIGUSR2, which the benchmark sends before it measures the memory.
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, gc.collect)
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    endpoint.bind(("127.0.0.1", 0))
    endpoint.listen(4096)
    print(endpoint.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[endpoint])


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    asyncio.run(main(sys.argv[1]))
