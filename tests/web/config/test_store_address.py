"""Tests how `redis.url` is read. Each wrong part has its own error sentence, which quotes nothing of the URL."""

from typing import Any

import pytest

from web.config import parse
from web.config.store_address import BEGINNING, ESCAPED, NAMED, Kind, StoreAddress, store_address
from web.errors import ConfigError

SENTINELS = (("a", 26379), ("b", 26380))


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("redis://host", StoreAddress(Kind.SERVER, "redis://host:6379/", (("host", 6379),))),
        (
            "rediss://me:pw@host:1/2?ssl_cert_reqs=none",
            StoreAddress(Kind.SERVER, "rediss://me:pw@host:1/2?ssl_cert_reqs=none", (("host", 1),)),
        ),
        ("redis://[::1]:7/0", StoreAddress(Kind.SERVER, "redis://[::1]:7/0", (("::1", 7),))),
        ("unix:///run/valkey.sock?db=1", StoreAddress(Kind.SERVER, "unix:///run/valkey.sock?db=1")),
        (
            "redis+sentinel://clinic@a,b:26380/3",
            StoreAddress(Kind.SENTINEL, "redis://a:26379/3", SENTINELS, "clinic"),
        ),
        (
            "redis+sentinel://me:pw@a,b:26380/clinic/3",
            StoreAddress(Kind.SENTINEL, "redis://me:pw@a:26379/3", SENTINELS, "clinic"),
        ),
        (
            "rediss+cluster://me:pw@a,b:7",
            StoreAddress(Kind.CLUSTER, "rediss://me:pw@a:6379/", (("a", 6379), ("b", 7))),
        ),
        (
            "rediss+sentinel://:pw@a,b:26380/my%20clinic",
            StoreAddress(Kind.SENTINEL, "rediss://:pw@a:26379/0", SENTINELS, "my clinic"),
        ),
    ],
)
def test_an_address_is_read(url: str, read: StoreAddress) -> None:
    assert store_address(url) == read
    assert "pw" not in repr(read)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://host", BEGINNING),
        ("host:6379", BEGINNING),
        ("redis://", "expected a host, or a host and a port from 1 to 65535, as host number 1"),
        (
            "redis://me:pw@host:port",
            "expected a host, or a host and a port from 1 to 65535, as host number 1",
        ),
        ("redis+sentinel://clinic@a:1,b:0", "as host number 2"),
        ("redis://a,b/0", "expected one host; "),
        ("redis://a/first", "expected the number of a database after the last slash"),
        ("redis://:p/w@host", ESCAPED),
        ("redis://:p#w@host", ESCAPED),
        ("redis://[pw@host", ESCAPED),
        ("unix://", "expected the path of a socket"),
        ("redis+sentinel://a:1,b:1/0", NAMED),
        ("redis+sentinel://clinic@a:1/clinic/0", NAMED),
        ("redis+cluster://a:1,b:1/1", "expected no database, or 0"),
        ("redis+sentinel://me:pw@a:1/0", NAMED),
    ],
)
def test_a_wrong_part_is_named_with_what_is_expected(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse({"redis": {"url": url}}, "config.toml")
    assert f"{refused.value}".startswith("config.toml: redis.url: expected ")
    assert said in f"{refused.value}"
    assert "pw" not in f"{refused.value}"


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"password": "x"}, 'redis.password: expected "", as redis.url is empty'),
        ({"url": "redis://a", "password": "x", "password_file": "y"}, "redis.password is set"),
        ({"url": "redis://me:pw@a", "password": "x"}, "redis.url has a password"),
        ({"url": "redis://a?password=pw", "password_file": "x"}, "redis.url has a password"),
        ({"url": "redis://a", "ca": "x"}, 'redis.url does not begin with "rediss"'),
        ({"url": "rediss://a", "sentinel_password_file": "x"}, "redis.url names no Sentinels"),
    ],
)
def test_keys_that_contradict_the_address_are_refused(access: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse({"redis": access}, "config.toml")
