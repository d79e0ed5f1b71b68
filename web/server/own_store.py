"""Checks each server of a store that the operator runs, when Greenroom starts and in `greenroom doctor`.

This module defines which settings a store needs so that no visit is lost. It sends INFO, CONFIG GET and a
transaction that it discards, so it changes nothing. `problem_of`, and the functions that find the reasons in
`Weaknesses`, judge the answers without I/O.
"""

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import redis
import structlog

from signalling.store import keys
from web.config.keys import Redis as Store
from web.config.store_address import Kind, StoreAddress, store_address
from web.errors import ConfigError
from web.server.redis_client import servers_now
from web.server.valkey import OLDEST, parse_version

CLOCK_S = 1.0
"""If two clocks differ by more than this time in s, waits, links and sign-ins are wrong."""
SETTINGS = ("save", "min-replicas-to-write")
WRITES = {
    "string": ("SET", "1"),
    "hash": ("HSET", "field", "1"),
    "list": ("RPUSH", "1"),
    "set": ("SADD", "1"),
    "zset": ("ZADD", "0", "member"),
    "stream": ("XADD", "*", "field", "1"),
}
"""Type of a key -> a command that writes such a key, with its arguments after the key. It is sent to check whether the
store permits the command."""
log = structlog.get_logger("web.valkey")


class About(NamedTuple):
    """The answers of one server of the store about itself.

    `name`: host and port, "" if it is the only server. `info`: its answer to INFO. `settings`: its values of the
    settings in SETTINGS; "unknown" for a value that it does not return. `ahead_s`: the time in s by which its clock is
    ahead of this machine's clock; negative if it is behind.
    """

    name: str
    info: Mapping[str, Any]
    settings: Mapping[str, str]
    ahead_s: float = 0.0

    def said(self, text: str) -> str:
        """Return the text with " at " and the server's name after it; unchanged if the text or the name is ""."""
        return f"{text} at {self.name}" if self.name and text else text


class Weaknesses(NamedTuple):
    """The reasons why servers of the store lose records, with the servers' names; "" for a reason that does not apply.

    `evicts`: why a server may delete sign-ins. `keeps_nothing`: why all records are lost when a server ends.
    `loses_tail`: why the newest changes are lost at a failover. `clock`: by how many seconds a server's clock differs
    from this machine's clock, if this is more than CLOCK_S.
    """

    evicts: str
    keeps_nothing: str
    loses_tail: str
    clock: str = ""


def check_own_store(store: Store) -> None:
    """Check whether records are safe in the store; log a warning if it may lose some.

    Raises ConfigError if a server of the store cannot hold visits, or does not answer.
    """
    found = weaknesses(store)
    if found.evicts:
        log.warning("store.evicts_sessions", reason=found.evicts)
    if found.keeps_nothing:
        log.warning("store.not_persistent", reason=found.keeps_nothing)
    if found.loses_tail:
        log.warning("store.failover_loses", reason=found.loses_tail)
    if found.clock:
        log.warning("store.clock_differs", reason=found.clock)


def weaknesses(store: Store) -> Weaknesses:
    """Return the reasons why the store's servers may lose records: unsafe settings, and clocks that differ.

    Raises ConfigError if a server does not answer, is older than 7.0, would evict visits, takes no writes, or refuses
    commands that are needed.
    """
    found = list(_examined(store))
    return Weaknesses(
        _joined(about.said(_evicts(about)) for about in found),
        _joined(about.said(_keeps_nothing(about)) for about in found),
        _joined(about.said(_loses_tail(about)) for about in found) if len(found) > 1 else "",
        _joined(about.said(_clock(about)) for about in found),
    )


def problem_of(about: About, kind: Kind) -> str:
    """Return a sentence that says why a server cannot hold visits; "" if it can.

    `kind`: the kind of store that `redis.url` names: one server, Sentinels or a cluster.
    """
    if "sentinel_masters" in about.info:
        return "expected a server that holds records; found a Sentinel: begin with redis+sentinel://"
    if kind is Kind.SERVER and about.info.get("cluster_enabled"):
        return "expected a server alone; found a node of a cluster: begin with redis+cluster://"
    version = str(about.info.get("valkey_version") or about.info.get("redis_version", "0"))
    policy, role = str(about.info.get("maxmemory_policy", "")), about.info.get("role", "master")
    if parse_version(version) < OLDEST:
        return f"expected Redis or Valkey 7.0 or newer; found {about.said(version)}"
    if policy.startswith("allkeys-"):
        return (
            f"expected a store with maxmemory-policy noeviction; found {about.said(policy)}, which deletes visits when "
            "the store's memory is full"
        )
    if role != "master" and kind is Kind.SERVER:
        return f"expected a server that takes writes; found {about.said('a replica')}: name its master"
    return ""


def _evicts(about: About) -> str:
    policy = str(about.info.get("maxmemory_policy", ""))
    return f"maxmemory-policy {policy}" if policy.startswith("volatile-") else ""


def _keeps_nothing(about: About) -> str:
    return "appendonly no" if about.settings.get("save") == "" and not about.info.get("aof_enabled") else ""


def _loses_tail(about: About) -> str:
    return "min-replicas-to-write 0" if about.settings.get("min-replicas-to-write") == "0" else ""


def _clock(about: About) -> str:
    away_s = abs(about.ahead_s)
    return f"clocks {away_s:,.1f} s apart" if away_s > CLOCK_S else ""


def _joined(reasons: Iterable[str]) -> str:
    return ", ".join(filter(None, reasons))


def _examined(store: Store) -> Iterator[About]:
    """Yield the answers of each server about itself.

    Raises ConfigError if a server cannot hold visits or does not answer.
    """
    try:
        address = store_address(store.url)
        for name, client in servers_now(store, store.socket_timeout_s):
            about = _about(name, client)
            if problem := problem_of(about, address.kind):
                raise ConfigError(f"redis.url: {problem}")
            if refused := ", ".join(sorted(set(_refused(client)))):
                may_not = about.said(refused)
                raise ConfigError(
                    f"redis.url: the store refuses its user {may_not}; docs/OPERATIONS.md, section The store, has the "
                    "rights that it needs"
                )
            yield about
    except (redis.RedisError, OSError) as error:
        raise ConfigError(f"redis.url: {_why(error, address)}") from None
    except ValueError:
        raise ConfigError("redis.url: expected an address as in redis://user:password@host:6379/0") from None


def _why(error: Exception, address: StoreAddress) -> str:
    """Return the reason why the store could not be examined, for operators. `error`: the error of the check."""
    causes = list(_causes(error))
    said = " ".join(map(str, causes))
    match error:
        case redis.sentinel.MasterNotFoundError():
            return f'no Sentinel there answers and knows a master "{address.master}"'
        case redis.AuthenticationError():
            return "the store there refuses this user or password"
        case redis.exceptions.NoPermissionError():
            return "this user of the store needs permission for INFO"
        case redis.ResponseError() if address.kind is Kind.SENTINEL and "SENTINEL" in said:
            return "the servers there are no Sentinels: begin with redis:// and the address of the master"
        case redis.ResponseError() if "DB index" in said:
            return "the store there has no database of this number: put another one after the last slash"
    if "Cluster mode is not enabled" in said:
        return "the server there is no node of a cluster: begin with redis://"
    if "slots are not covered" in said:
        return "some slots of the cluster there have no node that answers: look at `valkey-cli cluster info`"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "the host in it is not known: no name server has an address of it"
    kind = type(error).__name__
    return f"no store answers there by TLS ({kind})" if address.tls else f"no store answers there ({kind})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that have caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _about(name: str, client: "redis.Redis") -> About:
    info: dict[str, Any] = {}
    for section in ("server", "memory", "persistence", "replication", "cluster", "sentinel"):
        info |= client.info(section)
    return About(name, info, {setting: _setting(client, setting) for setting in SETTINGS}, _ahead_s(client))


def _ahead_s(client: "redis.Redis") -> float:
    """Return the time in s by which the store's clock is ahead of this machine's; 0 if the store refuses TIME."""
    try:
        found: Any = client.time()
    except redis.ResponseError:
        return 0.0
    seconds, micros = found
    return float(seconds + micros / 1e6 - time.time())


def _setting(client: "redis.Redis", name: str) -> str:
    """Return the value of a setting of the store; "unknown" if the store does not return it.

    Hosted stores often refuse CONFIG.
    """
    try:
        found: Any = client.config_get(name)
    except redis.ResponseError:
        return "unknown"
    return str(found.get(name, "unknown")) if isinstance(found, dict) else "unknown"


def _refused(client: "redis.Redis") -> Iterator[str]:
    """Yield the name of each command that Greenroom needs, but that the store forbids to Greenroom's account.

    The commands are tried in a transaction that is discarded.
    """
    probes = [
        (WRITES[key.type][0], key(*("doctor",) * key.pattern.count("<")), *WRITES[key.type][1:])
        for key in keys.ALL
    ]
    probes += [
        ("PUBLISH", keys.DEATHS_CHANNEL, ""),
        ("SUBSCRIBE", keys.DEATHS_CHANNEL),
        ("EVAL", "return 1", "0"),
    ]
    connection: Any = client.connection_pool.get_connection()
    try:
        for command in (("MULTI",), *probes, ("DISCARD",)):
            connection.send_command(*command)
            try:
                connection.read_response()
            except redis.exceptions.NoPermissionError:
                yield command[0]
                if command == ("MULTI",):
                    # MULTI is refused, so no transaction has begun. Without a transaction, the store would carry
                    # out the other commands, so they are not sent.
                    return
            except redis.ResponseError:
                # A store that is full or cannot save also refuses writes, but only for a while. This check ignores
                # such a refusal; /readyz reports it.
                pass
    finally:
        connection.disconnect()
        client.connection_pool.release(connection)
