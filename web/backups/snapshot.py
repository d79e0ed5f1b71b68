"""Receives a snapshot of a server of the store as a replica does: all its keys at one moment after the request.

It implements the replication protocol up to the end of the snapshot. The snapshot contains every command that
was acknowledged before the request. The store makes it in a child process, and serves its clients meanwhile.
"""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import redis
from redis import RedisCluster, SSLConnection
from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from web.config.keys import Redis as Store
from web.errors import CommandError, IncompleteClusterError
from web.server.redis_client import connect_now, masters

MOVING = (
    "redis.url: slots of the cluster moved while the snapshots were made, so that an organisation may be in none of "
    "them; run the command again when all slots are at their place"
)
AWAY = (
    "redis.url: the node %s of the cluster does not answer, and no copy has taken its place: organisations of it would "
    "be missing, so there is no backup; run the command again when the node is back"
)
WITHOUT_NODE = (
    "redis.url: %d of %d slots of the cluster have no node: organisations may be missing, so there is no backup; run "
    "the command again when all slots are at their place"
)
FAILOVER_S, LOOK_S = 30.0, 0.5
"""(the longest wait in s until a replica replaces a node that does not answer, the pause in s between two checks)."""
BEGINS_S = 30.0
"""If the store sends nothing for this time in s, the backup fails. While the store prepares the snapshot, it sends an
empty line each second.
"""
READ_BYTES = 1 << 20
SYNC_BYTES = 1 << 23
"""After this number of bytes the snapshot's file is flushed to the disk. More at once would delay the store's writes
to its own file.
"""
ASK = (b"REPLCONF rdb-only 1", b"REPLCONF capa eof")
"""Commands that define how the store sends the snapshot. "rdb-only": it sends no commands after the snapshot. "capa
eof": it may send the snapshot from its memory, without writing it to a file first.
"""


def receive_all(store: Store, folder: Path, received: Callable[[int], None]) -> list[Path]:
    """Save a snapshot of each master of the store as a file in `folder`; return the files.

    All data of an organisation is in one of the files, because all its keys are on one node of a cluster. `received` is
    called with the number of bytes so far. Raises CommandError if a snapshot is not complete. In a cluster, also raises
    CommandError if hash slots move to another node during the backup, or if the node of a hash slot does not answer.
    Raises redis-py's errors if a store that is no cluster does not answer.
    """
    files: list[Path] = []
    client, places = complete(store)
    with contextlib.closing(client):
        for server in masters(client):
            file = folder / f"{len(files)}.rdb"
            before = sum(each.stat().st_size for each in files)
            receive(server, file, lambda size, before=before: received(before + size))  # type: ignore[misc]
            files.append(file)
        if _places(client) != places:
            raise CommandError(MOVING)
    return files


def complete(store: Store) -> tuple[Any, dict[str, list[list[str]]]]:
    """Wait until all masters of the store answer; return (a client, the hash slots of each master of a cluster).

    Raises CommandError if a master does not answer within FAILOVER_S, or if hash slots move to another master.
    """
    until_s = time.monotonic() + FAILOVER_S
    while True:
        client = connect_now(store, BEGINS_S)
        try:
            return client, _places(client)
        except IncompleteClusterError:
            client.close()
            if time.monotonic() > until_s:
                raise
            time.sleep(LOOK_S)


def _places(client: Any) -> dict[str, list[list[str]]]:
    """Return the hash slots of each master of a cluster, by the master's id; {} if the store is no cluster.

    Raises CommandError if hash slots move to another master, and IncompleteClusterError if a master does not
    answer or a hash slot has no master.
    """
    if not isinstance(client, RedisCluster):
        return {}
    found = {}
    servers: Any = masters(client)
    for server in servers:
        try:
            nodes = server.execute_command("CLUSTER NODES")
        except (redis.ConnectionError, redis.TimeoutError):
            where = server.connection_pool.connection_kwargs
            raise IncompleteClusterError(AWAY % f"{where['host']}:{where['port']}") from None
        own = next(node for node in nodes.values() if "myself" in node["flags"])
        if own["migrations"]:
            raise CommandError(MOVING)
        found[own["node_id"]] = own["slots"]
    missing = REDIS_CLUSTER_HASH_SLOTS - sum(
        int(slots[-1]) - int(slots[0]) + 1 for each in found.values() for slots in each
    )
    if missing:
        raise IncompleteClusterError(WITHOUT_NODE % (missing, REDIS_CLUSTER_HASH_SLOTS))
    return found


def receive(server: "redis.Redis", path: Path, received: Callable[[int], None]) -> None:
    """Write the snapshot of a server to the file `path`.

    `server`: a client of the server. `received` is called with the number of bytes so far. Raises CommandError if the
    server sends no complete snapshot.
    """
    try:
        pool = server.connection_pool
        options: dict[str, Any] = pool.connection_kwargs
        tls = issubclass(pool.connection_class, SSLConnection)
        with _connected(options, tls=tls) as connection, connection.makefile("rwb") as stream:
            for command in (*_sign_in(options), *(line.split() for line in ASK)):
                _ask(stream, command)
            _ask(stream, [b"PSYNC", b"?", b"-1"])
            with path.open("xb") as file:
                _copy(stream, _line(stream), file, received)
    except OSError as error:
        raise CommandError(
            f"the store’s snapshot did not arrive whole ({error.strerror or type(error).__name__})"
        ) from None


def _connected(options: dict[str, Any], *, tls: bool) -> socket.socket:
    """Return a connection to the store's server. `options`: host, port and more, named as in redis-py."""
    if "path" in options:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(BEGINS_S)
        connection.connect(options["path"])
        return connection
    host = options.get("host", "localhost")
    connection = socket.create_connection((host, options.get("port", 6379)), BEGINS_S)
    if not tls:
        return connection
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context.wrap_socket(connection, server_hostname=host)


def _sign_in(options: dict[str, Any]) -> list[list[bytes]]:
    given = [options[name].encode() for name in ("username", "password") if options.get(name)]
    return [[b"AUTH", *given]] if given else []


def _ask(stream: Any, command: list[bytes]) -> None:
    """Send a command to the store on `stream`, and read its reply. Raises CommandError if the store refuses it."""
    stream.write(b"*%d\r\n" % len(command))
    for part in command:
        stream.write(b"$%d\r\n%s\r\n" % (len(part), part))
    stream.flush()
    answer = _line(stream)
    if answer.startswith(b"-"):
        reason = answer[1:].split()[0].decode("ascii", "replace")
        raise CommandError(
            f"the store refuses {command[0].decode()} ({reason}): its user needs the right to PSYNC and REPLCONF"
        )


def _line(stream: Any) -> bytes:
    """Return the next line that the store sends and that is not empty, as bytes."""
    while line := stream.readline(READ_BYTES):
        if line.strip():
            return bytes(line.strip())
    raise ConnectionError


def _copy(stream: Any, header: bytes, file: BinaryIO, received: Callable[[int], None]) -> None:
    """Copy a snapshot from the stream to a file.

    `header` defines how the snapshot ends: by a delimiter, or after a number of bytes. `received` is called with
    the number of bytes so far.
    """
    marked = header.startswith(b"$EOF:")
    mark, length = (header[5:], 0) if marked else (b"", int(header[1:]))
    held, written = b"", 0
    while marked or written + len(held) < length:
        data = stream.read1(READ_BYTES)
        if not data:
            raise ConnectionError
        held += data
        if marked and held.endswith(mark):
            held = held.removesuffix(mark)
            break
        whole = max(0, len(held) - len(mark))
        before, written = written, written + file.write(held[:whole])
        held = held[whole:]
        if written // SYNC_BYTES > before // SYNC_BYTES:
            os.fdatasync(file.fileno())
        received(written)
    received(written + file.write(held))
