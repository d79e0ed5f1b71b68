"""Reads `redis.url`: the address of one server, of the Sentinels that watch servers, or of a cluster's nodes.

An error names the part that is wrong and what is expected. It repeats no part of the URL, because any part
may contain a password.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import unquote, urlsplit

import msgspec


class Kind(StrEnum):
    """The kind of store that `redis.url` names: one server, a server behind Sentinels, or a cluster."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


Node = tuple[str, int]
"""A host and a port."""

SCHEMES: Mapping[str, Kind] = {
    "redis": Kind.SERVER,
    "rediss": Kind.SERVER,
    "unix": Kind.SERVER,
    "redis+sentinel": Kind.SENTINEL,
    "rediss+sentinel": Kind.SENTINEL,
    "redis+cluster": Kind.CLUSTER,
    "rediss+cluster": Kind.CLUSTER,
}
PORTS = {Kind.SERVER: 6379, Kind.SENTINEL: 26379, Kind.CLUSTER: 6379}
NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
BEGINNING = (
    'expected "redis://", "rediss://" (TLS), "unix://", "redis+sentinel://" or "redis+cluster://" '
    "at the beginning"
)
ESCAPED = "expected %2F, %23 and %40 instead of /, # and @ in a user or a password"
NAMED = (
    "expected the name of the master, once: redis+sentinel://name@host:port,host:port/0, or with a user "
    "redis+sentinel://user:password@host:port,host:port/name/0"
)


class StoreAddress(msgspec.Struct, frozen=True):
    """The parts of the value of `redis.url`.

    `server`: the URL with scheme, user, password, database and options, as redis-py reads it; if the URL
    names Sentinels, the host of `server` is the first Sentinel. `nodes`: the servers, or the Sentinels.
    `master`: the name under which the Sentinels know the store's server.
    """

    kind: Kind
    server: str
    nodes: tuple[Node, ...] = ()
    master: str = ""

    def __repr__(self) -> str:
        """Return a text for logs that leaves out the URL, because the URL may hold a password."""
        return f"StoreAddress({self.kind})"

    @property
    def tls(self) -> bool:
        """Whether connections to the store are encrypted (TLS)."""
        return self.server.startswith("rediss")

    @property
    def has_password(self) -> bool:
        """Whether the URL itself holds a password."""
        parts = urlsplit(self.server)
        return bool(parts.password) or "password=" in parts.query


def store_address(url: str) -> StoreAddress:
    """Return the parts of `url`, a value of the setting `redis.url`.

    Raises ValueError if the URL is not valid; the error's text names the wrong part and what is expected.
    """
    scheme, _, rest = url.partition("://")
    kind = SCHEMES.get(scheme)
    if kind is None:
        raise ValueError(BEGINNING)
    address, asked, query = rest.partition("?")
    authority, _, path = address.partition("/")
    if "#" in rest or "@" in path:
        raise ValueError(ESCAPED)
    if scheme == "unix":
        if not path:
            raise ValueError("expected the path of a socket after unix://")
        return StoreAddress(kind, url)
    user, at, hosts = authority.rpartition("@")
    nodes = tuple(_node(text, number, kind) for number, text in enumerate(hosts.split(","), 1))
    master = ""
    if kind is Kind.SENTINEL:
        user, master, path = _named(user, path)
    elif kind is Kind.SERVER and len(nodes) > 1:
        raise ValueError(
            "expected one host; several have redis+sentinel:// or redis+cluster:// at the beginning"
        )
    elif kind is Kind.CLUSTER and path.strip("/0"):
        raise ValueError("expected no database, or 0: a cluster has no other")
    if not path.strip("/").isdigit() and path.strip("/"):
        raise ValueError("expected the number of a database after the last slash")
    plain = scheme.partition("+")[0]
    known = f"{user}{at}" if user else ""
    host, port = nodes[0]
    server = f"{plain}://{known}{f'[{host}]' if ':' in host else host}:{port}/{path}{asked}{query}"
    try:
        urlsplit(server)
    except ValueError:
        raise ValueError(ESCAPED) from None
    return StoreAddress(kind, server, nodes, master)


def _node(text: str, number: int, kind: Kind) -> Node:
    """Return the host and the port in `text`, which is a host, or a host and a port.

    `kind`: the kind of store, which defines the default port. `number`: the place of the host in the URL, from 1, for
    an error's text. Raises ValueError if `text` is not valid.
    """
    found = NODE.fullmatch(text)
    port = int(found[2] or PORTS[kind]) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"expected a host, or a host and a port from 1 to 65535, as host number {number}")
    return found[1].strip("[]"), port


def _named(user: str, path: str) -> tuple[str, str, str]:
    """Return three texts from parts of a Sentinel URL: user with password, name of the master, number of the database.

    `user`: the part before "@"; `path`: the part after the hosts. Raises ValueError if the URL has no name of
    a master.
    """
    parts = [part for part in path.split("/") if part]
    database = parts.pop() if parts and parts[-1].isdigit() else "0"
    if user and ":" not in user:
        parts.append(user)
        user = ""
    if len(parts) != 1:
        raise ValueError(NAMED)
    return user, unquote(parts[0]), database
