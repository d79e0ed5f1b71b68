"""Tests the data key: it is made once, a lost key is reported, and a store that belongs to another key is refused."""

import os
import stat
import tempfile
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


def _replaced_by(account: int, folder: Path) -> int:
    """Replace the key in a process of this account; return 0 if that worked, otherwise the number of the error."""
    child = os.fork()
    if child == 0:
        number = 255
        try:
            os.setgroups([])
            os.setgid(account)
            os.setuid(account)
            secret.replace(folder, b"r" * 32 + b"k" * 32)
            number = 0
        except OSError as error:
            number = error.errno or number
        finally:
            os._exit(number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another group")
def test_an_account_replaces_its_own_key_file_also_if_the_file_has_the_group_of_root() -> None:
    account = 10001
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        secret.make_data_key(folder)
        os.chown(folder, account, account)
        os.chown(folder / "secret.key", account, 0)
        assert _replaced_by(account, folder) == 0
        found = (folder / "secret.key").stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (account, 0o600)
