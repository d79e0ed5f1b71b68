"""Tests the data key: it is made once, a lost key is reported, and a store that belongs to another key is refused."""

import stat
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalling.store import keys
from web.errors import ConfigError
from web.server import data_key as secret


def test_the_data_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    secret.make_data_key(tmp_path / "data")
    key = secret.data_key(tmp_path / "data")
    secret.make_data_key(tmp_path / "data")
    path = tmp_path / "data" / "secret.key"
    assert len(key) == 32
    assert secret.data_key(tmp_path / "data") == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret.key"]


def test_a_data_key_that_is_lost_is_missed_and_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        secret.data_key(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_truncated_data_key_is_reported_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    secret.make_data_key(tmp_path)
    with pytest.raises(ConfigError, match="must hold 32 bytes"):
        secret.data_key(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == b"short"


def test_the_file_is_replaced_in_one_step_and_its_first_key_is_for_links(tmp_path: Path) -> None:
    secret.make_data_key(tmp_path)
    secret.replace(tmp_path, b"r" * 32 + b"k" * 32)
    assert secret.data_key(tmp_path) == b"r" * 32
    assert list(secret.keys_in(secret.content(tmp_path)).values()) == [b"k" * 32]
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


async def test_the_store_names_the_key_that_encrypts(valkey: Redis) -> None:
    root, old, new = (letter * 32 for letter in (b"r", b"o", b"n"))
    assert list((await secret.check(valkey, root + old + new)).values()) == [new, old]
    await valkey.set(keys.DATA_KEY(), secret.key_id(new))
    assert list((await secret.check(valkey, root + old + new)).values()) == [old, new]
    with pytest.raises(ConfigError, match="not the key"):
        await secret.check(valkey, root)


async def test_a_server_with_another_key_does_not_touch_the_store(valkey: Redis) -> None:
    await secret.check(valkey, b"a" * 32)
    await secret.check(valkey, b"a" * 32)
    with pytest.raises(ConfigError, match="not the key"):
        await secret.check(valkey, b"b" * 32)
