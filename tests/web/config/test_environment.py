"""Tests that environment variables can set every key of every type, directly or by the name of a file.

Tests also whether a variable, the settings file or the command line has priority, and which variables are refused.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from tests.prepared import GREENROOM
from web.config import MEANINGS, Settings, load
from web.config.environment import from_environment
from web.config.secret_files import first_line
from web.errors import ConfigError


def test_every_key_can_be_set() -> None:
    names = {key: f"GREENROOM_{key.replace('.', '__').upper()}" for key in MEANINGS}
    _, variables = from_environment(dict.fromkeys(names.values(), "1"))
    assert variables == names


def test_a_variable_has_the_keys_type_and_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[server]\nport = 8001\nworkers = 3\n[media]\ntcp = true\n")
    settings = load(
        file,
        {"server.drain_s": 5.0},
        {
            "GREENROOM_SERVER__PORT": "9000",
            "GREENROOM_SERVER__DRAIN_S": "7.5",
            "GREENROOM_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.1",
            "GREENROOM_MEDIA__TCP": "no",
            "GREENROOM_DATA__FOLDER": "elsewhere",
            "GREENROOM_FAULTS": "all",
            "PATH": "/bin",
        },
    )
    server = settings.server
    assert (server.port, server.workers, server.trusted_proxies) == (9000, 3, ("10.0.0.0/8", "192.168.1.1"))
    assert server.drain_s == 5.0, "the command line wins over the environment"
    assert settings.media.tcp is False
    assert settings.data.folder == str(tmp_path / "elsewhere")


def test_a_value_may_be_the_first_line_of_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("redis://:s3cret@store:6379/0\nnot this\n")
    settings = load(None, environment={"GREENROOM_REDIS__URL_FILE": str(secret)})
    assert settings.redis.url == "redis://:s3cret@store:6379/0"
    turn = {"GREENROOM_MEDIA__TURN": "turn:turn.example.org:3478"}
    settings = load(None, environment={**turn, "GREENROOM_MEDIA__TURN_SECRET_FILE": str(secret)})
    assert settings.media.turn_secret_file == str(secret), "a key of its own, which is read later"


@pytest.mark.parametrize("content", ["", "\n", "\nin the second line\n"])
def test_a_file_without_a_first_line_is_refused(tmp_path: Path, content: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(content)
    with pytest.raises(ConfigError, match=r"media\.turn_secret_file: .*secret has an empty first line"):
        first_line("media.turn_secret_file", str(secret))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"GREENROOM_SERVER__PORT": "many"},
            "GREENROOM_SERVER__PORT: server.port: expected a port from 1 to 65535",
        ),
        ({"GREENROOM_SERVER__PORT": "70000"}, "or 0 for any free one; found 70000"),
        (
            {"GREENROOM_SERVER__PROT": "1"},
            "environment: server.prot: there is no such key; did you mean port?",
        ),
        (
            {"GREENROOM_SERVR__PORT": "1"},
            "environment: servr: there is no such section; did you mean server?",
        ),
        ({"GREENROOM_REDIS__URL_FILE": "/no/such"}, "GREENROOM_REDIS__URL_FILE: /no/such cannot be read"),
        (
            {"GREENROOM_REDIS__URL": "redis://a", "GREENROOM_REDIS__URL_FILE": __file__},
            "GREENROOM_REDIS__URL and GREENROOM_REDIS__URL_FILE set the same key",
        ),
        ({"GREENROOM_TLS__CERTIFICATE": "a.pem"}, "tls"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, environment=environment)
    assert said in str(refused.value)


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, environment={"GREENROOM_REDIS__URL": "s3cret@store"})
    assert "s3cret" not in str(refused.value)
    assert "GREENROOM_REDIS__URL" in str(refused.value)


def test_the_command_reads_its_environment(tmp_path: Path) -> None:
    found = subprocess.run(
        [GREENROOM, "check-config"],
        cwd=tmp_path,
        env={**os.environ, "GREENROOM_SERVER__PORT": "9123"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    )
    assert "9123" in found.stdout
    assert load(None) == Settings(data=load(None).data), "without variables, everything has its default"
