"""Tests that no command, page or log shows a secret: every setting that can contain one gets a marker text."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import typer
from typer.testing import CliRunner

from tests.conftest import StartServer, kept_log
from tests.limits import WAIT_S
from tests.server import toml
from tests.web.conftest import OpenSite
from tests.web.pages.setup.desk import desk
from tests.web.site import settings_for
from web.app import ROUTES
from web.commands import main as cli
from web.config import MEANINGS, SECRETS, Settings, parse, sections
from web.errors import ConfigError
from web.server import data_key as secret

CANARY = "c4nary-Pa55"
LAKESIDE = ["--organisation", "lakeside"]
COMMANDS: dict[str, list[str]] = {
    "check-config": [],
    "init": ["Hillside", "--timezone", "UTC", "--email", "eva@hillside.example", "--person", "Eva"],
    "organisation add": ["Lakeside", "--slug", "lakeside"],
    "organisation list": [],
    "user add": [*LAKESIDE, "ida@lakeside.example", "--name", "Ida", "--role", "admin"],
    "user list": LAKESIDE,
    "user password": [*LAKESIDE, "ida@lakeside.example"],
    "user disable": [*LAKESIDE, "ida@lakeside.example"],
    "user enable": [*LAKESIDE, "ida@lakeside.example"],
    "user reset-two-factor": [*LAKESIDE, "ida@lakeside.example"],
    "user role": [*LAKESIDE, "ida@lakeside.example", "provider"],
    "key add": [*LAKESIDE, "ward", "--scope", "read"],
    "key list": LAKESIDE,
    "key revoke": [*LAKESIDE, "k_1"],
    "doctor": [],
    "status": [],
    "audit verify": [],
    "audit export": LAKESIDE,
    "backup": ["none/backup"],
    "export": [*LAKESIDE, "none/folder", "--all"],
    "erase": [*LAKESIDE, "--visit", "v_1"],
    "restore": ["none/backup"],
    "rotate-keys": [],
    "upgrade": [],
}
"""Each command that reads the settings, except `serve`, which has tests of its own -> its arguments."""
ELSEWHERE = {"serve"}


def commands() -> Iterator[str]:
    """Yield every command of `greenroom`, and of its groups, that reads a settings file."""

    def walk(command: Any, name: str) -> Iterator[str]:
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {word}".strip())
        if any("--config" in option.opts for option in command.params):
            yield name

    yield from walk(typer.main.get_command(cli.app), "")


def urls(valkey_url: str) -> list[str]:
    """Return URLs of the store. Each has the marker text in another of the places in which redis-py or people put a
    password.
    """
    path = valkey_url.removeprefix("unix://")
    return [
        # only this URL works
        f"unix://default@{path}?password={CANARY}",
        f"redis://:{CANARY}@127.0.0.1:1/0",
        f"redis://me:{CANARY}@127.0.0.1:port",
        f"redis://:{CANARY}/x@127.0.0.1:1",
        f"redis://:{CANARY}#x@127.0.0.1:1",
        f"redis://:x@{CANARY}@127.0.0.1:1",
        f"redis://:{CANARY}",
        f"rediss://127.0.0.1:1/0?password={CANARY}",
        f"http://me:{CANARY}@127.0.0.1",
        f"me:{CANARY}@127.0.0.1",
        f"redis://[{CANARY}@127.0.0.1",
    ]


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before


def test_s37_every_setting_that_sounds_like_a_secret_is_marked_as_one() -> None:
    sounds = {key for key in MEANINGS if re.search(r"(password|secret|token|credential|redis\.url)$", key)}
    assert sounds <= set(SECRETS)


def filled(section: str, key: str, kind: str) -> Settings:
    value = f"redis://me:{CANARY}@host:1/0?password={CANARY}" if kind == "url" else CANARY
    changed = msgspec.structs.replace(getattr(Settings(), section), **{key: value})
    return msgspec.structs.replace(Settings(), **{section: changed})


@pytest.mark.parametrize(("dotted", "kind"), SECRETS.items())
def test_s37_settings_that_are_printed_as_a_whole_show_no_secret(dotted: str, kind: str) -> None:
    section, _, key = dotted.partition(".")
    settings = filled(section, key, kind)
    for text in (repr(settings), str(settings), f"{getattr(settings, section)!r}", f"{settings}"):
        assert CANARY not in text
    assert getattr(getattr(settings, section), key) != getattr(settings, section).shown()[key]


def refusal(raw: dict[str, Any]) -> str:
    """Return the text of the error with which these settings are refused; "" if they are accepted."""
    try:
        parse(raw, "config.toml")
    except ConfigError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("dotted", MEANINGS)
def test_s37_a_value_that_is_refused_is_repeated_without_a_password_in_it(dotted: str) -> None:
    section, _, key = dotted.partition(".")
    wrong: list[Any] = [f"redis://me:{CANARY}@h:port", [f"https://me:{CANARY}@h"], {"a": f"x://{CANARY}@h"}]
    if dotted in SECRETS:
        wrong += [CANARY, [CANARY], {"a": CANARY}, f"http://me:{CANARY}@host"]
    for value in wrong:
        for raw in ({section: {key: value}}, {section: value}, {section: {key + "x": value}}):
            assert CANARY not in refusal(raw), raw


def test_s37_no_command_prints_a_secret(
    valkey_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert set(commands()) == set(COMMANDS) | ELSEWHERE, "each command needs its words above"
    data = tmp_path / "data"
    secret.make_data_key(data)
    key = secret.data_key(data)
    canaries = [CANARY, key.hex(), repr(key)[2:-1]]
    file = tmp_path / "config.toml"
    said = ""
    for index, url in enumerate(urls(valkey_url)):
        names = ("check-config", "user list") if index else COMMANDS
        for name in names:
            # A rotation waits as long as a write of another server may be under way.
            quick = index or name == "rotate-keys"
            file.write_text(
                toml(
                    {
                        "redis": {"url": url, "socket_timeout_s": 0.2 if quick else WAIT_S},
                        "data": {"folder": str(data)},
                        "mail": {"host": "127.0.0.1", "username": "clinic", "password": CANARY},
                        "log": {"level": "debug"},
                    }
                )
            )
            with kept_log():
                result = CliRunner().invoke(cli.app, [*name.split(), *COMMANDS[name], "--config", str(file)])
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                assert isinstance(result.exception, ConfigError), (name, url, result.exception)
                said += f"{result.exception}\n"
            said += result.output
    captured = capfd.readouterr()
    said += captured.out + captured.err
    assert "[set]" in said, "check-config was among them"
    assert "Ida" in said, "so were those that work on the store"
    for canary in canaries:
        assert canary not in said


async def test_s37_no_page_shows_a_secret(open_site: OpenSite, valkey_url: str, tmp_path: Path) -> None:
    settings = settings_for(valkey_url, tmp_path / "data")
    secret.make_data_key(Path(settings.data.folder))
    site = await open_site(
        redis={"url": urls(valkey_url)[0]},
        mail={"host": "127.0.0.1", "username": "clinic", "password": CANARY},
    )
    admin = await desk(site)
    key = secret.data_key(Path(settings.data.folder))
    pages = 0
    for route in ROUTES:
        path = getattr(route, "path", "").replace("{organisation}", "demo")
        if getattr(route, "method", "") != "GET" or "{" in path or path.endswith("/ws"):
            continue
        answer = await admin.person.get(path)
        body = (await answer.read()) + repr(answer.headers).encode()
        assert CANARY.encode() not in body, path
        assert key.hex().encode() not in body, path
        pages += answer.status == 200
    assert pages > 15


@pytest.mark.long
def test_s37_no_log_of_the_server_holds_a_secret(start_server: StartServer, valkey_url: str) -> None:
    for index, url in enumerate(urls(valkey_url)):
        server = start_server(
            {
                "redis": {"url": url, "socket_timeout_s": 0.5 if index else WAIT_S},
                "mail": {"host": "127.0.0.1", "port": 1, "username": "clinic", "password": CANARY},
                "log": {"level": "debug"},
            }
        )
        if not index:
            server.wait().status("/demo")
            server.stop()
        assert server.process.wait(WAIT_S) in (0, 2)
        assert CANARY not in server.log + server.output


def test_s37_every_section_of_the_settings_can_be_printed_without_secrets() -> None:
    assert all(set(section().shown()) == set(section.__struct_fields__) for section in sections().values())
