"""Makes the client of the store, with limits on the time that a worker waits and on the number of connections.

The settings of [redis] name one server, Sentinels that name a master, or the nodes of a cluster. All other code uses
the client in the same way for each of them. Its methods raise redis-py's errors, and OSError, if the store does not
answer in time.
"""

import asyncio
import builtins
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

import redis
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ConstantBackoff
from redis.cluster import ClusterNode
from redis.exceptions import RedisClusterException, TimeoutError
from redis.retry import Retry as SynchronousRetry

from signalling.store.redis_cluster import ClusterRedis
from signalling.store.redis_connection import SharedConnection, SharedRedis
from web.config import Settings, first_line
from web.config.keys import Redis as Store
from web.config.store_address import Kind, Node, StoreAddress, store_address

CONNECTIONS = 64
ASK_S = 0.5
"""The least time in s between two requests to the Sentinels for the master's address after a refused write."""
SENTINEL_S = 0.5
"""If a Sentinel does not answer within this time in s, the request is sent to the next Sentinel. The time is short,
because the machine of a failed master often has a Sentinel too."""


class _Sending(AbstractConnection):
    """Sends commands without `asyncio.wait_for`, which redis-py uses if there is a time-out.

    On Python 3.11, `wait_for` makes a task for each command. It also loses a cancellation that arrives while it
    finishes, and then the cancelled task never ends.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send a command that redis-py has encoded.

        `check_health`: as in redis-py, True to check an idle connection first. Raises redis-py's TimeoutError after the
        time-out, and its ConnectionError if the connection is lost.
        """
        patience_s, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(patience_s):
                await super().send_packed_command(command, check_health)
        # redis-py has already closed the connection. Its callers expect its own TimeoutError, so that is raised.
        except builtins.TimeoutError:
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
    """A connection to the master, the server that takes writes.

    Each time it is opened, it requests the master's address from the Sentinels. So after a failover, new connections
    lead to the new master.
    """

    def __init__(self, *, find_master: Callable[[], Awaitable[Node]], **options: Any) -> None:
        super().__init__(**options)
        self._find_master = find_master

    async def connect(self) -> None:
        """Connect to the master (the server that takes writes), unless this connection is open already.

        Raises redis-py's errors if there is no master.
        """
        if not self.is_connected:
            self.host, self.port = await self._find_master()
        await super().connect()  # type: ignore[no-untyped-call]


class _MasterTcp(_AtMaster, _Tcp):
    pass


class _MasterTls(_AtMaster, _Tls):
    pass


class _ToMaster(SharedConnection):
    """The connection for commands to the master. `find`: requests the master's address from the Sentinels.

    If the Sentinels promote two servers in short succession, the first of the two remains a master without a replica
    for some seconds, until the Sentinels demote it. Meanwhile it refuses writes (`min-replicas-to-write`). So after
    such a refusal, this connection requests the master's address again.
    """

    def __init__(self, pool: Any, find: Callable[[], Awaitable[Node]]) -> None:
        super().__init__(pool)
        self._find = find
        self._asking: asyncio.Task[None] | None = None

    def reply_received(self, reply: Any) -> None:
        """Pass a reply to its command; if the reply refuses a write, check whether another server is the master."""
        super().reply_received(reply)
        if isinstance(reply, Exception) and "NOREPLICAS" in str(reply) and self._asking is None:
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        # If no Sentinel answers, nothing changes: the present server may still be the master.
        with contextlib.suppress(redis.RedisError, OSError):
            if await self._find() != self.server:
                self.connection_lost("the Sentinels name another master")
                # The pool's connections, which transactions use, are closed too: they lead to the earlier master.
                await self.pool.disconnect(inuse_connections=True)
        await asyncio.sleep(ASK_S)
        self._asking = None

    async def close(self) -> None:
        """Close the connection, and stop checking whether another server is the master."""
        if self._asking is not None:
            self._asking.cancel()
        await super().close()


CLASSES: dict[type, type] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}
AT_MASTER: dict[type, type] = {_Tcp: _MasterTcp, _Tls: _MasterTls}


async def _greet_master(connection: Any) -> None:
    """Sign in on a new connection. Raises redis-py's ConnectionError if the server is no master.

    A Sentinel that was not connected for a while may still name the earlier master.
    """
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
        # Pub/sub needs push messages, which only version 3 of the protocol (RESP3) has.
    }
    kind = CLASSES[options.pop("connection_class", Connection)]
    if address.kind is Kind.CLUSTER:
        return ClusterRedis(address.nodes, lambda node: _pool(store, kind, {**options, **_at(node)}))
    if address.kind is Kind.SENTINEL:
        kind = AT_MASTER[kind]
        options["find_master"] = find = _master_finder(store, address)
        options["redis_connect_func"] = _greet_master
        client: Any = SharedRedis.from_pool(_pool(store, kind, options))
        client.shared = _ToMaster(client.connection_pool, find)
        return client  # type: ignore[no-any-return]
    return SharedRedis.from_pool(_pool(store, kind, options))


def _pool(store: Store, kind: type, options: Mapping[str, Any]) -> BlockingConnectionPool:
    """Return the pool of connections to one server.

    `kind`: the class of the connections; `options`: their arguments.
    """
    return BlockingConnectionPool(
        max_connections=CONNECTIONS,
        timeout=store.socket_timeout_s,
        connection_class=kind,
        # If the store has closed an idle connection, one more attempt makes a new connection. Further attempts would
        # only make the caller wait longer.
        retry=Retry(ConstantBackoff(0.05), 1),
        client_name="greenroom",
        **options,
    )


def _at(node: Node) -> dict[str, Any]:
    return {"host": node[0], "port": node[1]}


def _options(
    store: Store, address: StoreAddress, parse: Callable[[str], Any], patience_s: float | None = None
) -> dict[str, Any]:
    """Return redis-py's options for a connection. Raises ConfigError if the file of the password cannot be read.

    `parse`: redis-py's function that reads a URL. `patience_s`: the time limit in s; None for that of the settings.
    """
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
    """Return redis-py's options for connections to the Sentinels.

    `options`: the options for connections to the servers; the Sentinels get the same TLS options. `patience_s`: the
    time limit in s; if it is more than SENTINEL_S, SENTINEL_S is used.
    """
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
    """Return a function that requests the master's address from the Sentinels, and returns it as (host, port)."""
    options = _sentinel_options(store, _options(store, address, parse_url), store.socket_timeout_s)

    async def find() -> Node:
        once = Retry(ConstantBackoff(0), 0)
        asked: Any = AsyncSentinel
        async with asked(address.nodes, sentinel_kwargs={**options, "retry": once}) as sentinels:
            host, port = await sentinels.discover_master(address.master)
            return str(host), int(port)

    return find


class _ClusterNow(redis.RedisCluster):
    """A client of a cluster. It sends a published message only to the node that is responsible for its channel."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Carry out a command; PUBLISH is sent as SPUBLISH. Raises redis-py's errors if that is not possible."""
        name, *words = args
        sharded = "SPUBLISH" if name == "PUBLISH" else name
        return super().execute_command(sharded, *words, **options)  # type: ignore[no-untyped-call]


def connect_now(store: Store, patience_s: float) -> Any:
    """Return redis-py's client for code that runs without an event loop. `patience_s`: its longest wait, in s.

    Raises redis-py's errors if no Sentinel names a master, or no node of the cluster answers.
    """
    address = store_address(store.url)
    options = _options(store, address, redis.connection.parse_url, patience_s)
    if address.kind is Kind.CLUSTER:
        del options["host"], options["port"]
        encrypted = options.pop("connection_class", None) is not None
        options.pop("db", None)
        node_of: Any = ClusterNode
        nodes = [node_of(*node) for node in address.nodes]
        try:
            return _ClusterNow(startup_nodes=nodes, ssl=encrypted, **options)
        except RedisClusterException as problem:
            raise redis.ConnectionError("no node of the cluster answers") from problem
    if address.kind is Kind.SENTINEL:
        options["host"], options["port"] = _sentinels(store, patience_s).discover_master(address.master)
    return redis.Redis.from_pool(redis.ConnectionPool(**options))


def _sentinels(store: Store, patience_s: float) -> Any:
    """Return redis-py's client for requests to the Sentinels, for code that runs without an event loop."""
    made: Any = redis.Sentinel
    address = store_address(store.url)
    options = _sentinel_options(store, _options(store, address, redis.connection.parse_url), patience_s)
    once = SynchronousRetry(ConstantBackoff(0), 0)
    return made(address.nodes, sentinel_kwargs={**options, "retry": once})


def masters(client: Any) -> "list[redis.Redis]":
    """Return a client of each server of the store that takes writes: one server, or all masters of a cluster.

    `client`: the result of `connect_now`.
    """
    if not hasattr(client, "get_primaries"):
        return [client]
    nodes = sorted(client.get_primaries(), key=lambda node: str(node.name))
    return [client.get_redis_connection(node) for node in nodes]


def servers_now(store: Store, patience_s: float) -> Iterator[tuple[str, "redis.Redis"]]:
    """Yield (name, client) of each server of the store. The name is "host:port", or "" for the only server.

    `patience_s`: the longest time in s to wait. Replicas are included, because each may become the master. Raises
    redis-py's errors if the servers are not found.
    """
    address = store_address(store.url)
    with connect_now(store, patience_s) as client:
        if address.kind is Kind.SERVER:
            yield "", client
        elif address.kind is Kind.CLUSTER:
            for node in sorted(client.get_nodes(), key=lambda node: node.name):
                yield node.name, client.get_redis_connection(node)
        else:
            pool = client.connection_pool
            master = pool.connection_kwargs["host"], pool.connection_kwargs["port"]
            for host, port in [master, *_sentinels(store, patience_s).discover_slaves(address.master)]:
                options = {**pool.connection_kwargs, "host": host, "port": port}
                one = redis.ConnectionPool(connection_class=pool.connection_class, **options)
                with redis.Redis.from_pool(one) as server:
                    yield f"{host}:{port}", server


async def servers(settings: Settings) -> AsyncIterator[Redis]:
    """Yield a client of each server of the store, replicas included.

    Raises redis-py's errors or OSError if the servers are not found.
    """
    store = settings.redis
    options = _options(store, store_address(store.url), parse_url)
    kind = CLASSES[options.pop("connection_class", Connection)]
    found = await asyncio.to_thread(lambda: [name for name, _ in servers_now(store, store.socket_timeout_s)])
    for name in found:
        host, _, port = name.rpartition(":")
        at = _at((host, int(port))) if name else {}
        pool = _pool(store, kind, {**options, "protocol": 3, **at})
        async with SharedRedis.from_pool(pool) as server:
            yield server
