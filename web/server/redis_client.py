"""The client of the store: how long a worker waits for it, and for how many answers at once.

Knows redis-py and the settings of [redis]. Knows nothing of what is stored. Raises redis-py's errors, and OSError, when
the store does not answer in time.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError, TimeoutError

from signalling.store.redis_connection import LineRedis
from web.config import Settings

CONNECTIONS = 64


class _Sending:
    """Sends without `asyncio.wait_for`, which redis-py uses where there is a time-out: on Python 3.11 that loses a
    cancellation that comes as it finishes (a task then never ends), and everywhere it makes a task for each command."""

    is_connected: bool
    socket_timeout: float | None
    _writer: Any
    connect_check_health: Any
    check_health: Any
    disconnect: Any

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Sends a packed command. Raises redis-py's TimeoutError or ConnectionError."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()
        parts = [command.encode()] if isinstance(command, str) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                self._writer.writelines([parts] if isinstance(parts, bytes) else parts)
                await self._writer.drain()
        except BaseException as error:
            # Half a command may have been sent, so nothing more can be said on this connection.
            await self.disconnect(nowait=True)
            if isinstance(error, asyncio.TimeoutError):
                raise TimeoutError("Timeout writing to socket") from None
            if isinstance(error, OSError):
                raise ConnectionError("Error while writing to socket") from error
            raise


class _Tcp(_Sending, Connection):
    pass


class _Tls(_Sending, SSLConnection):
    pass


class _Unix(_Sending, UnixDomainSocketConnection):
    pass


CLASSES: dict[type, type] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}


def connect(settings: Settings) -> Redis:
    """A client that never waits longer than the settings allow, neither for an answer nor for its turn."""
    options: dict[str, Any] = {**parse_url(settings.redis.url), "protocol": 3}  # the bus hears pushes
    kind = CLASSES[options.pop("connection_class", Connection)]
    patience = settings.redis.socket_timeout_s
    pool = BlockingConnectionPool(
        max_connections=CONNECTIONS,
        timeout=patience,
        connection_class=kind,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        # One more try mends a connection that the store closed while it was idle; more would only add up the waits.
        retry=Retry(ConstantBackoff(0.05), 1),
        client_name="greenroom",
        **options,
    )
    return LineRedis.from_pool(pool)
