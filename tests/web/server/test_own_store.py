"""Tests the check of a store that the operator runs: what is refused in one sentence, and what only
causes a warning.
"""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.faults.nodes import cluster
from tests.faults.sentinels import MASTER, watched
from tests.limits import WAIT_S
from web.config.keys import Redis as Store
from web.errors import ConfigError
from web.server.own_store import Weaknesses, check_own_store, weaknesses
from web.server.valkey import EmbeddedStore, LockedFolder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A running store for this test."""
    locked = LockedFolder(tmp_path / "data")
    made = EmbeddedStore(locked)
    made.start()
    yield made
    made.stop()
    locked.close()


def at(url: str, **access: Any) -> Store:
    """Return the settings of a store at this URL. `access`: further settings of the store."""
    return Store(url=url, **access)


def client_of(store: EmbeddedStore) -> "redis.Redis":
    return redis.Redis.from_url(store.url, socket_timeout=WAIT_S)


class Old(socketserver.StreamRequestHandler):
    """Answers INFO as a Redis of an old version, and every other command with an error."""

    def handle(self) -> None:
        about = b"# Server\r\nredis_version:6.2.14\r\n"
        while said := self.request.recv(4096):
            for command in said.split(b"*")[1:]:
                info = b"INFO" in command.upper()
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(about), about) if info else b"-ERR unknown\r\n")


@contextmanager
def too_old() -> Iterator[str]:
    """Run a store of a version that is too old; yield its URL."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Old) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}?protocol=2"
        server.shutdown()


def test_an_external_store_that_is_too_old_is_refused() -> None:
    with (
        too_old() as url,
        pytest.raises(ConfigError, match=r"redis.url: expected Redis or Valkey 7.0 or newer; found 6.2.14"),
    ):
        check_own_store(at(url))


def test_an_external_store_that_is_new_enough_is_accepted(store: EmbeddedStore) -> None:
    check_own_store(at(store.url))


@pytest.mark.parametrize("url", ["redis://127.0.0.1?max_connections=many", "unix:///nowhere/at/all"])
def test_a_wrong_address_of_a_store_is_refused_in_words(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^redis.url: "):
        check_own_store(at(url))


def test_r33_a_store_that_would_evict_visits_is_refused_and_one_that_evicts_sign_ins_is_warned_of(
    store: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with client_of(store) as client:
        for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random"):
            client.config_set("maxmemory-policy", policy)
            with pytest.raises(ConfigError, match=f"^redis.url: expected .* noeviction; found {policy}"):
                check_own_store(at(store.url))
        client.config_set("maxmemory-policy", "volatile-lru")
        check_own_store(at(store.url))
        assert "store.evicts_sessions" in "".join(capsys.readouterr())


def test_r33_a_store_that_keeps_nothing_on_disk_is_warned_of(
    store: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with client_of(store) as client:
        for appendonly, save, warned in (("yes", "", False), ("no", "3600 1", False), ("no", "", True)):
            client.config_set("appendonly", appendonly)
            client.config_set("save", save)
            check_own_store(at(store.url))
            assert ("store.not_persistent" in "".join(capsys.readouterr())) is warned
        client.acl_setuser("default", enabled=True, commands=["-config"])
        check_own_store(at(store.url))
        assert "nothing on disk" not in "".join(capsys.readouterr()), (
            "where CONFIG is refused it cannot be told"
        )


def test_r33_a_replica_is_refused(store: EmbeddedStore) -> None:
    with client_of(store) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(
            ConfigError, match=r"^redis.url: expected a server that takes writes; found a replica: "
        ):
            check_own_store(at(store.url))


def test_r33_a_user_without_rights_is_refused_with_what_it_may_not_do_and_nothing_is_changed(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pässword\n", "utf-8")
    with client_of(store) as client:
        for rules, refused in (
            (("~*", "&*", "+@all"), ""),
            (("~*", "&*", "+@all", "-zadd", "-eval"), "EVAL, ZADD"),
            (("~*", "+@all"), "PUBLISH, SUBSCRIBE"),
            (("~*", "&*", "+@all", "-multi"), "MULTI"),
        ):
            client.execute_command("ACL", "SETUSER", "clinic", "reset", "on", ">pässword", *rules)
            mine = at(store.url, username="clinic", password_file=str(secret))
            if refused:
                with pytest.raises(
                    ConfigError,
                    match=f"^redis.url: the store refuses its user {refused}; docs/OPERATIONS.md, ",
                ):
                    check_own_store(mine)
            else:
                check_own_store(mine)
        assert client.dbsize() == 0
        with pytest.raises(ConfigError, match="refuses this user or password"):
            check_own_store(at(store.url, username="clinic", password="wrong"))


def test_every_node_of_a_cluster_is_checked(tmp_path: Path) -> None:
    with cluster(tmp_path, copies=False) as nodes:
        names = [f"127.0.0.1:{each.port}" for each in sorted(nodes.masters, key=lambda each: each.port)]
        mine = at(nodes.url)
        assert weaknesses(mine) == Weaknesses(
            "", "", ", ".join(f"min-replicas-to-write 0 at {name}" for name in names)
        )
        with nodes.masters[2].client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-hset")
        with pytest.raises(
            ConfigError, match=f"refuses its user HSET at 127.0.0.1:{nodes.masters[2].port}; "
        ):
            check_own_store(mine)
    with pytest.raises(ConfigError, match=r"^redis.url: no store answers there"):
        check_own_store(mine)


def test_every_server_under_sentinels_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watched(tmp_path) as stores:
        first, second = stores.stores
        mine = at(stores.url)
        assert weaknesses(mine) == Weaknesses(
            "", "", ", ".join(f"min-replicas-to-write 0 at 127.0.0.1:{each.port}" for each in stores.stores)
        )
        check_own_store(mine)
        assert "store.failover_loses" in "".join(capsys.readouterr())
        for each in stores.stores:
            with each.client() as client:
                client.config_set("min-replicas-to-write", 1)
        with second.client() as client:
            client.config_set("maxmemory-policy", "volatile-lru")
        assert weaknesses(mine) == Weaknesses(
            f"maxmemory-policy volatile-lru at 127.0.0.1:{second.port}", "", ""
        )
        with second.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(
            ConfigError, match=f"found allkeys-lru at 127.0.0.1:{second.port}, which deletes visits"
        ):
            check_own_store(mine)
        with pytest.raises(ConfigError, match='no Sentinel there answers and knows a master "other"'):
            check_own_store(at(stores.url.replace(MASTER, "other")))
        assert first is stores.master
