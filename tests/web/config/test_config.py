"""Tests settings: each key is documented with its default, and an error names the file, the key and
what is expected.
"""

import contextlib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.config import MEANINGS, Settings, load, parse, refuse_plain_http, sections
from web.config.secret_files import first_line
from web.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "config.toml"


def refusal(raw: dict[str, Any]) -> str:
    """Return the text of the error with which these settings are refused."""
    with pytest.raises(ConfigError) as refused:
        parse(raw, "config.toml")
    return str(refused.value)


def test_the_file_in_the_root_holds_every_key_with_its_default() -> None:
    assert tomllib.loads(FILE.read_text("utf-8")) == msgspec.json.decode(msgspec.json.encode(Settings()))
    assert parse(tomllib.loads(FILE.read_text("utf-8")), "config.toml") == Settings()


def test_every_key_in_the_file_has_a_comment_that_names_its_default() -> None:
    lines = FILE.read_text("utf-8").splitlines()
    comment: list[str] = []
    for line in lines:
        if line.startswith("#"):
            comment.append(line)
        elif match := re.match(r"(\w+) = (.+)", line):
            if comment:
                explained = " ".join(comment)
                assert f"Default: {match[2]}" in explained, line
            else:
                # Only the setting `key` has no comment, because the comment on `certificate`, above it, describes both.
                assert line == 'key = ""', line
            comment = []
        else:
            comment = []


def test_every_key_says_what_it_expects() -> None:
    keys = {f"{name}.{key}" for name, section in sections().items() for key in section.__struct_fields__}
    assert set(MEANINGS) == keys
    assert all(MEANINGS.values())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"servr": {}}, "servr: there is no such section; did you mean server?"),
        ({"zzz": {}}, "zzz: there is no such section; there are server, tls, redis"),
        ({"server": {"prt": 1}}, "server.prt: there is no such key; did you mean port?"),
        ({"server": 3}, "server: expected a section, written [server]; found 3"),
        (
            {"server": {"port": "80"}},
            'server.port: expected a port from 1 to 65535, or 0 for any free one; found "80"',
        ),
        ({"server": {"port": 70000}}, "server.port: expected a port from 1 to 65535"),
        ({"server": {"port": True}}, "server.port: expected a port"),
        ({"server": {"workers": 0}}, "server.workers: expected a whole number from 1 to 256; found 0"),
        (
            {"server": {"public_url": "http://example.org"}},
            'server.public_url: expected "https://" and a host name',
        ),
        ({"server": {"public_url": "https://example.org/path?x"}}, "server.public_url: expected"),
        ({"server": {"public_url": "https://[x"}}, "server.public_url: expected"),
        ({"server": {"public_url": "HTTPS://example.org"}}, "server.public_url: expected"),
        ({"server": {"public_url": "https://clinique.élan.fr"}}, "server.public_url: expected"),
        ({"server": {"public_url": "https://visits example.org"}}, "server.public_url: expected"),
        ({"server": {"public_url": "https://example.org\n"}}, "server.public_url: expected"),
        ({"server": {"public_url": "https://example.org:0"}}, "server.public_url: expected"),
        (
            {"server": {"trusted_proxies": ["10.0.0.0/8", "proxy"]}},
            "server.trusted_proxies: expected a list of IP",
        ),
        ({"server": {"drain_s": -1}}, "server.drain_s: expected a number of seconds above 0"),
        ({"server": {"drain_s": float("inf")}}, "server.drain_s: expected a number of seconds above 0"),
        ({"server": {"drain_s": float("nan")}}, "server.drain_s: expected a number of seconds above 0"),
        (
            {"tls": {"key": "k.pem"}},
            "tls.certificate: expected the path of a PEM file, as the other key of [tls]",
        ),
        (
            {"tls": {"certificate": "c.pem"}},
            "tls.key: expected the path of a PEM file, as the other key of [tls]",
        ),
        (
            {"media": {"announce": ["here"]}},
            "media.announce: expected a list of IP addresses that browsers can reach",
        ),
        ({"media": {"announce": [1]}}, "media.announce: expected a list"),
        ({"media": {"host": "localhost"}}, "media.host: expected an IP address"),
        (
            {"media": {"ports": 65535}, "server": {"workers": 2}},
            "media.ports: expected a first port that leaves two",
        ),
        (
            {"log": {"level": "loud"}},
            'log.level: expected "debug", "info", "warning" or "error"; found "loud"',
        ),
        ({"sessions": {"idle_s": 50000}}, "sessions.idle_s: expected at most what sessions.absolute_s says"),
        (
            {"limits": {"message_bytes": 10}},
            "limits.message_bytes: expected a whole number of bytes from 4096",
        ),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_is_expected(raw: dict[str, Any], said: str) -> None:
    sentence = refusal(raw)
    assert sentence.startswith(f"config.toml: {said}")
    assert "\n" not in sentence


def test_a_password_in_the_address_of_the_store_is_never_repeated() -> None:
    assert "secret" not in refusal({"redis": {"url": "http://me:secret@host"}})


@given(
    st.dictionaries(
        st.sampled_from([*sections(), "other"]),
        st.one_of(
            st.integers(),
            st.dictionaries(
                st.sampled_from(
                    [key for section in sections().values() for key in section.__struct_fields__]
                ),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
                    max_leaves=5,
                ),
                max_size=3,
            ),
        ),
        max_size=4,
    )
)
def test_any_file_is_accepted_or_refused_with_one_sentence(raw: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(raw, "config.toml"), Settings)


def test_paths_are_relative_to_the_file_and_options_go_over_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[data]\nfolder = "kept"\n[server]\nport = 9000\n', "utf-8")
    settings = load(file, {"server.workers": 3})
    assert settings.data.folder == str(tmp_path / "kept")
    assert (settings.server.port, settings.server.workers) == (9000, 3)
    with pytest.raises(ConfigError, match=r"^command line: server.port: expected a port"):
        load(file, {"server.port": 70000})


def test_a_file_of_an_editor_that_begins_files_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[server]\nport = 9000\n[metrics]\ntoken_file = 'token'\n", "utf-8-sig")
    (tmp_path / "token").write_text("a token for the tests\n", "utf-8-sig")
    settings = load(file)
    assert settings.server.port == 9000
    assert first_line("metrics.token_file", settings.metrics.token_file) == "a token for the tests"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, broken = tmp_path / "missing.toml", tmp_path / "broken.toml"
    broken.write_text("[server\n", "utf-8")
    with pytest.raises(ConfigError, match=r"missing.toml: cannot be read: No such file"):
        load(missing)
    with pytest.raises(ConfigError, match=r"broken.toml: this is not TOML: .*line 1"):
        load(broken)
    broken.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"broken.toml: this is not UTF-8 text"):
        load(broken)


@pytest.mark.parametrize(
    ("raw", "origin", "media_host"),
    [
        ({}, "http://127.0.0.1:8000", "127.0.0.1"),
        ({"server": {"host": "::1", "port": 80}}, "http://[::1]", "::1"),
        ({"server": {"host": "localhost"}}, "http://localhost:8000", "127.0.0.1"),
        ({"server": {"host": "visits.example.org"}}, "http://visits.example.org:8000", "0.0.0.0"),
        (
            {"server": {"public_url": "https://visits.example.org/"}},
            "https://visits.example.org",
            "127.0.0.1",
        ),
        (
            {"tls": {"certificate": "c", "key": "k"}, "server": {"port": 443}},
            "https://127.0.0.1",
            "127.0.0.1",
        ),
        ({"media": {"host": "192.0.2.1"}}, "http://127.0.0.1:8000", "192.0.2.1"),
    ],
)
def test_links_and_the_relay_follow_from_the_settings(
    raw: dict[str, Any], origin: str, media_host: str
) -> None:
    settings = parse(raw, "config.toml")
    assert settings.origin == origin
    assert settings.secure == origin.startswith("https")
    assert settings.media_host == media_host


@pytest.mark.parametrize(
    ("raw", "port"),
    [
        ({}, 8000),
        ({"tls": {"certificate": "c", "key": "k"}, "server": {"port": 8443}}, 8443),
        (
            {
                "tls": {"certificate": "c", "key": "k"},
                "server": {"port": 8443, "public_url": "https://a.example"},
            },
            443,
        ),
        ({"server": {"public_url": "https://a.example"}}, 0),
        ({"tls": {"certificate": "c", "key": "k"}, "server": {"trusted_proxies": ["10.0.0.1"]}}, 0),
    ],
    ids=["this machine", "own TLS", "a forwarded port", "a proxy with TLS", "a proxy before TLS"],
)
def test_media_share_the_pages_port_if_no_proxy_is_before_it(raw: dict[str, Any], port: int) -> None:
    assert parse(raw, "config.toml").direct_port == port


def test_a_worker_and_its_successor_find_a_port_of_the_range_each() -> None:
    settings = parse({"media": {"ports": 40000}, "server": {"workers": 2}}, "")
    assert [settings.media_ports(index)[0] for index in range(4)] == [40000, 40001, 40002, 40003]
    assert set(settings.media_ports(3)) == {40000, 40001, 40002, 40003}
    assert Settings().media_ports(5) == (0,)


def test_plain_http_is_for_this_machine_alone() -> None:
    refuse_plain_http(parse({"server": {"host": "localhost"}}, ""))
    refuse_plain_http(parse({"server": {"host": "0.0.0.0", "public_url": "https://visits.example.org"}}, ""))
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 can be reached from outside, which takes https"):
        refuse_plain_http(parse({"server": {"host": "0.0.0.0"}}, ""))


@pytest.mark.parametrize(
    ("media", "key"),
    [
        ({"turn": ["turn:turn.example.org"]}, "media.turn"),
        ({"turn_secret": "a"}, "media.turn"),
        ({"turn": ["https://turn.example.org"], "turn_secret": "a"}, "media.turn"),
        (
            {"turn": ["turn:turn.example.org"], "turn_secret": "a", "turn_secret_file": "b"},
            "media.turn_secret_file",
        ),
    ],
)
def test_turn_servers_are_set_with_their_secret_and_by_urls_that_browsers_take(
    media: dict[str, Any], key: str
) -> None:
    assert f"{key}: expected" in refusal({"media": media})


@pytest.mark.parametrize(
    ("media", "right"),
    [
        ({"stun": "stun:stun.example.org"}, True),
        ({"stun": "stun:[2001:db8::1]:3478"}, True),
        ({"stun": "stun.example.org"}, False),
        ({"stun": "stun:stun.example.org:99999"}, False),
        ({"stun": "stun:stun.example.org", "announce": ["8.8.8.8"]}, False),
    ],
)
def test_a_stun_server_is_named_by_its_uri_and_only_without_an_announced_address(
    media: dict[str, Any], right: bool
) -> None:
    if right:
        assert parse({"media": media}, "").media.stun == media["stun"]
        return
    with pytest.raises(ConfigError, match=r"media\.stun"):
        parse({"media": media}, "")


def test_a_turn_server_with_its_secret_is_accepted_and_the_secret_not_shown() -> None:
    urls = ["turns:turn.example.org:443?transport=tcp", "turn:[2001:db8::1]:3478"]
    settings = parse({"media": {"turn": urls, "turn_secret": "north wind"}}, "test")
    assert settings.media.turn == tuple(urls)
    assert "north wind" not in repr(settings)
