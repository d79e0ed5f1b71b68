"""Checks each server of a store that the operator runs, when Greenroom starts and in `greenroom doctor`.

This module defines which settings a store needs so that no visit is lost. It asks the server by INFO, CONFIG GET and
a transaction that is discarded, so it changes nothing. `problem_of` and the reasons of `Weaknesses` do no I/O.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import redis
import structlog

from signalling.store import keys
from web.config.keys import Redis as Store
from web.config.store_address import Kind, store_address
from web.errors import ConfigError
from web.server.redis_client import servers_now
from web.server.valkey import OLDEST, parse_version

SETTINGS = ("save", "min-replicas-to-write")
WRITES = {
    "string": ("SET", "1"),
    "hash": ("HSET", "field", "1"),
    "list": ("RPUSH", "1"),
    "set": ("SADD", "1"),
    "zset": ("ZADD", "0", "member"),
    "stream": ("XADD", "*", "field", "1"),
}
"""Type of a key -> the command by which the right to write such a key is checked, and its arguments after the key."""
log = structlog.get_logger("web.valkey")


class About(NamedTuple):
    """The answers of one server of the store about itself.

    `name`: host and port, "" if it is the only server. `info`: its answer to INFO. `settings`: its values of the
    settings in SETTINGS; "unknown" for a value that it does not return.
    """

    name: str
    info: Mapping[str, Any]
    settings: Mapping[str, str]

    def said(self, text: str) -> str:
        """Return the text with " at " and the server's name after it; unchanged if the text or the name is ""."""
        return f"{text} at {self.name}" if self.name and text else text


class Weaknesses(NamedTuple):
    """The reasons why servers of the store lose records, with the servers' names; "" for a reason that does not apply.

    `evicts`: why sign-ins are lost; `keeps_nothing`: why all is lost when a server ends; `loses_tail`: why the newest
    commands are lost at a failover.
    """

    evicts: str
    keeps_nothing: str
    loses_tail: str


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


def weaknesses(store: Store) -> Weaknesses:
    """Return the reasons why the store's servers may lose records: settings that are not safe.

    Raises ConfigError if a server does not answer, is older than 7.0, would evict visits, takes no writes, or refuses
    commands that are needed.
    """
    found = list(_examined(store))
    return Weaknesses(
        _joined(about.said(_evicts(about)) for about in found),
        _joined(about.said(_keeps_nothing(about)) for about in found),
        _joined(about.said(_loses_tail(about)) for about in found) if len(found) > 1 else "",
    )


def problem_of(about: About, *, copy: bool) -> str:
    """Return why a server cannot hold visits, as a sentence; "" if it can.

    `copy`: True if the server must be able to replace another server of the store.
    """
    version = str(about.info.get("valkey_version") or about.info.get("redis_version", "0"))
    policy, role = str(about.info.get("maxmemory_policy", "")), about.info.get("role", "master")
    if parse_version(version) < OLDEST:
        return f"expected Redis or Valkey 7.0 or newer; found {about.said(version)}"
    if policy.startswith("allkeys-"):
        return (
            f"expected a store with maxmemory-policy noeviction; found {about.said(policy)}, which deletes visits when "
            "the store's memory is full"
        )
    if role != "master" and not copy:
        return f"expected a server that takes writes; found {about.said('a replica')}: name its master"
    return ""


def _evicts(about: About) -> str:
    policy = str(about.info.get("maxmemory_policy", ""))
    return f"maxmemory-policy {policy}" if policy.startswith("volatile-") else ""


def _keeps_nothing(about: About) -> str:
    return "appendonly no" if about.settings.get("save") == "" and not about.info.get("aof_enabled") else ""


def _loses_tail(about: About) -> str:
    return "min-replicas-to-write 0" if about.settings.get("min-replicas-to-write") == "0" else ""


def _joined(reasons: Iterable[str]) -> str:
    return ", ".join(filter(None, reasons))


def _examined(store: Store) -> Iterator[About]:
    """Yield the answers of each server about itself.

    Raises ConfigError if a server cannot hold visits or does not answer.
    """
    copies = store_address(store.url).kind is not Kind.SERVER
    try:
        for name, client in servers_now(store, store.socket_timeout_s):
            about = _about(name, client)
            if problem := problem_of(about, copy=copies):
                raise ConfigError(f"redis.url: {problem}")
            if refused := ", ".join(sorted(set(_refused(client)))):
                may_not = about.said(refused)
                raise ConfigError(
                    f"redis.url: the store refuses its user {may_not}; docs/OPERATIONS.md, section The store, has the "
                    "rights that it needs"
                )
            yield about
    except redis.sentinel.MasterNotFoundError:
        name = store_address(store.url).master
        raise ConfigError(f'redis.url: no Sentinel there answers and knows a master "{name}"') from None
    except redis.AuthenticationError:
        raise ConfigError("redis.url: the store there refuses this user or password") from None
    except redis.exceptions.NoPermissionError:
        raise ConfigError("redis.url: this user of the store needs permission for INFO") from None
    except (redis.RedisError, OSError) as error:
        raise ConfigError(f"redis.url: no store answers there ({type(error).__name__})") from None
    except ValueError:
        raise ConfigError("redis.url: expected an address as in redis://user:password@host:6379/0") from None


def _about(name: str, client: "redis.Redis") -> About:
    info: dict[str, Any] = {}
    for section in ("server", "memory", "persistence", "replication"):
        info |= client.info(section)
    return About(name, info, {setting: _setting(client, setting) for setting in SETTINGS})


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
    """Yield the name of each needed command that the store does not allow its user.

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
                    # Without a transaction, which DISCARD ends below, the other commands would be carried out, so they
                    # are not sent.
                    return
            except redis.ResponseError:
                # A store that is full or cannot save also refuses writes, but only for a while. This is no error of
                # this check; /readyz reports it.
                pass
    finally:
        connection.disconnect()
        client.connection_pool.release(connection)
