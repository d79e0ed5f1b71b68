"""The client of the store, with limits on the time that a worker waits and on the number of connections.

Knows redis-py and the settings of [redis]. Does not know what is stored. Raises redis-py's errors, and OSError, if the
store does not answer in time.
"""

import asyncio
import builtins
from collections.abc import Iterable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import TimeoutError

from signalling.store.redis_connection import SharedRedis
from web.config import Settings

CONNECTIONS = 64


class _Sending(AbstractConnection):
    """Sends without `asyncio.wait_for`, which redis-py uses if there is a time-out. On Python 3.11 `wait_for` loses a
    cancellation that comes as it finishes (a task then never ends); on every version it makes a task for each command.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send a packed command. Raises redis-py's TimeoutError or ConnectionError."""
        patience_s, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(patience_s):
                await super().send_packed_command(command, check_health)
        except builtins.TimeoutError:  # redis-py has closed the connection
            raise TimeoutError("Timeout writing to socket") from None
        finally:
            self.socket_timeout = patience_s


class _Tcp(_Sending, Connection):
    pass


class _Tls(_Sending, SSLConnection):
    pass


class _Unix(_Sending, UnixDomainSocketConnection):
    pass


CLASSES: dict[type, type] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}


def connect(settings: Settings) -> Redis:
    """Return a client that never waits longer than the settings allow, for an answer or for a free connection."""
    options: dict[str, Any] = {**parse_url(settings.redis.url), "protocol": 3}  # the bus receives pushes
    kind = CLASSES[options.pop("connection_class", Connection)]
    patience = settings.redis.socket_timeout_s
    pool = BlockingConnectionPool(
        max_connections=CONNECTIONS,
        timeout=patience,
        connection_class=kind,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        # A second try is enough if the store closed an idle connection; more tries would only add waiting.
        retry=Retry(ConstantBackoff(0.05), 1),
        client_name="greenroom",
        **options,
    )
    return SharedRedis.from_pool(pool)
