"""The client of the store, with limits on the time that a worker waits and on the number of connections.

Knows redis-py and the settings of [redis]: one server, or the master that Sentinels name. Does not know what is stored;
all other code uses the client without knowing which it is. Raises redis-py's errors, and OSError, if the store does not
answer in time.
"""

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import redis
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ConstantBackoff
from redis.exceptions import TimeoutError
from redis.retry import Retry as SynchronousRetry

from signalling.store.redis_connection import SharedRedis
from web.config import Settings, first_line
from web.config.keys import Redis as Store
from web.config.store_address import Kind, Node, StoreAddress, store_address

CONNECTIONS = 64
SENTINEL_S = 0.5
"""How long one Sentinel may take to answer before the next one is asked: the machine that died has often one, too."""


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


class _AtMaster(Connection):
    """Connects to the server that is the master at that moment, so that each new connection follows a failover."""

    def __init__(self, *, find_master: Callable[[], Awaitable[Node]], **options: Any) -> None:
        super().__init__(**options)
        self._find_master = find_master

    async def connect(self) -> None:
        """Connect to the master, unless there is a connection. Raises redis-py's errors."""
        if not self.is_connected:
            self.host, self.port = await self._find_master()
        await super().connect()  # type: ignore[no-untyped-call]


class _MasterTcp(_AtMaster, _Tcp):
    pass


class _MasterTls(_AtMaster, _Tls):
    pass


CLASSES: dict[type, type] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}
AT_MASTER: dict[type, type] = {_Tcp: _MasterTcp, _Tls: _MasterTls}


async def _greet_master(connection: Any) -> None:
    """Sign in, and refuse a server that is no master: a Sentinel that was away may name the one of before."""
    await connection.on_connect()
    await connection.send_command("INFO", "replication", check_health=False)
    if "role:master" not in str(await connection.read_response()):
        raise redis.ConnectionError("the server is no master")


def connect(settings: Settings) -> Redis:
    """Return a client that never waits longer than the settings allow, for an answer or for a free connection."""
    store = settings.redis
    address = store_address(store.url)
    options: dict[str, Any] = {
        **_options(store, address, parse_url),
        "protocol": 3,
    }  # push messages are needed for pub/sub
    kind = CLASSES[options.pop("connection_class", Connection)]
    if address.kind is Kind.SENTINEL:
        kind = AT_MASTER[kind]
        options["find_master"] = _master_finder(store, address)
        options["redis_connect_func"] = _greet_master
    pool = BlockingConnectionPool(
        max_connections=CONNECTIONS,
        timeout=store.socket_timeout_s,
        connection_class=kind,
        # One more try is enough if the store closed an idle connection; more tries would only add waiting.
        retry=Retry(ConstantBackoff(0.05), 1),
        client_name="greenroom",
        **options,
    )
    return SharedRedis.from_pool(pool)


def _options(
    store: Store, address: StoreAddress, parse: Callable[[str], Any], patience_s: float | None = None
) -> dict[str, Any]:
    """Return redis-py's options for a connection. Raises ConfigError if the file of the password cannot be read."""
    password = store.password or (
        store.password_file and first_line("redis.password_file", store.password_file)
    )
    chosen = {"username": store.username, "password": password, "ssl_ca_certs": store.ca}
    patience_s = patience_s or store.socket_timeout_s
    return {
        "socket_timeout": patience_s,
        "socket_connect_timeout": patience_s,
        **parse(address.server),
        **{name: value for name, value in chosen.items() if value},
    }


def _sentinel_options(store: Store, options: dict[str, Any], patience_s: float) -> dict[str, Any]:
    """Return redis-py's options for connections to the Sentinels; TLS is as for the servers."""
    path = store.sentinel_password_file
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return {
        "username": store.sentinel_username or None,
        "password": store.sentinel_password
        or (first_line("redis.sentinel_password_file", path) if path else None),
        "ssl": store_address(store.url).tls,
        "socket_timeout": min(patience_s, SENTINEL_S),
        "socket_connect_timeout": min(patience_s, SENTINEL_S),
        **tls,
    }


def _master_finder(store: Store, address: StoreAddress) -> Callable[[], Awaitable[Node]]:
    """Return a function that asks the Sentinels for the master's address."""
    options = _sentinel_options(store, _options(store, address, parse_url), store.socket_timeout_s)

    async def find() -> Node:
        once = Retry(ConstantBackoff(0), 0)
        asked: Any = AsyncSentinel
        async with asked(address.nodes, sentinel_kwargs={**options, "retry": once}) as sentinels:
            host, port = await sentinels.discover_master(address.master)
            return str(host), int(port)

    return find


def connect_now(store: Store, patience_s: float) -> "redis.Redis":
    """Return a client for code without an event loop. Raises redis-py's errors if no Sentinel names a master."""
    address = store_address(store.url)
    options = _options(store, address, redis.connection.parse_url, patience_s)
    if address.kind is Kind.SENTINEL:
        options["host"], options["port"] = sentinels(store, patience_s).discover_master(address.master)
    return redis.Redis.from_pool(redis.ConnectionPool(**options))


def sentinels(store: Store, patience_s: float) -> Any:
    """Return redis-py's client of the Sentinels for code without an event loop."""
    made: Any = redis.Sentinel
    address = store_address(store.url)
    options = _sentinel_options(store, _options(store, address, redis.connection.parse_url), patience_s)
    once = SynchronousRetry(ConstantBackoff(0), 0)
    return made(address.nodes, sentinel_kwargs={**options, "retry": once})
