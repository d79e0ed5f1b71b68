"""Tests `greenroom init` before the first start and while a server runs, and what it refuses."""

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from signalling.store import keys
from tests.conftest import StartServer
from tests.server import RunningServer, toml
from tests.web.commands.test_organisations import Browser
from web.commands import main as cli
from web.commands.first_setup import proposed
from web.errors import ConfigError
from web.server import data_key as secret
from web.server.valkey import running_origin

WORDS = ["--timezone", "America/Chicago", "--email", "ida@lakeside.example", "--person", "Ida Berg"]


def init(folder: Path, *arguments: str, said: str = "", code: int = 0) -> str:
    """Run `greenroom init` with the config.toml in this folder; return the output. `said`: its standard input; `code`:
    the exit code that it must have.
    """
    words = ["init", *arguments, "--config", str(folder / "config.toml")]
    result = CliRunner().invoke(cli.app, words, input=said)
    if isinstance(result.exception, ConfigError):
        assert code == 2
        return str(result.exception)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def chooses(server: RunningServer, path: str, password: str) -> int:
    """Open a one-time link and set the password; return the status of the page to which the answer leads."""
    browser = Browser(server)
    assert browser.get(path)[0] == 200
    fields = urllib.parse.urlencode({"password": password, "again": password}).encode()
    request = urllib.request.Request(f"{server.url}/lakeside-clinic/staff/password", fields)
    request.add_header("Origin", server.url)
    return browser._open(request)[0]


def test_s35_init_leads_to_the_first_administrator_of_a_server_without_a_demo(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(toml({"server": {"demo": "no"}}))
    said = init(tmp_path, "Lakeside Clinic", *WORDS)
    assert "Password:" not in said
    path = re.search(r"http://\S+?(/lakeside-clinic/staff/invitation/\S+)", said)
    assert path, said

    server = start_server({"server": {"demo": "no"}}).wait()
    assert "riverside" not in server.until_said("/lakeside-clinic/staff")
    assert chooses(server, path[1], "short") == 422
    assert chooses(server, path[1], "a password of ones own") == 200
    browser = Browser(server)
    assert browser.sign_in("lakeside-clinic", "ida@lakeside.example", "a password of ones own")
    assert browser.get("/lakeside-clinic/staff/setup")[0] == 200
    assert "There is an organisation already" in init(tmp_path, "Other", *WORDS, code=1)


def test_s35_init_creates_nothing_unless_all_of_it_can_be(valkey_url: str, tmp_path: Path) -> None:
    settings = {"redis": {"url": valkey_url}, "data": {"folder": str(tmp_path)}}
    (tmp_path / "config.toml").write_text(toml(settings))
    clinic = ("Lakeside Clinic", *WORDS)
    assert "expected --email" in init(tmp_path, *clinic[:3], code=2)
    assert "password" in init(tmp_path, *clinic, "--stdin", said="secret\n", code=1)
    assert "not an email" in init(tmp_path, *clinic[:3], "--email", "nobody", *clinic[5:], code=1)
    assert "timezone" in init(tmp_path, "Lakeside", "--timezone", "Mars", *WORDS[2:], code=1)
    assert "country" in init(tmp_path, *clinic, "--country", "ZZ", code=1)
    with redis.Redis.from_url(valkey_url) as store:
        assert store.execute_command("KEYS", "*") == []
    assert not (tmp_path / secret.FILE).exists()
    said = init(tmp_path, *clinic, "--country", "ca", "--stdin", said="a password of ones own\n")
    assert "invitation" not in said
    with redis.Redis.from_url(valkey_url) as store:
        document = store.get(keys.ORGANISATION("lakeside-clinic"))
    assert isinstance(document, bytes)
    assert b'"country":"CA"' in document, "that of --country, not the time zone's"
    audit = CliRunner().invoke(cli.app, ["audit", "export", "--config", str(tmp_path / "config.toml")]).output
    entries = [json.loads(line) for line in audit.splitlines() if line.startswith("{")]
    assert [entry["what"] for entry in entries] == ["organisation.added", "account.added", "audit.exported"]


def test_s35_the_address_is_proposed_from_the_name() -> None:
    assert proposed("Lakeside Clinic, St. John’s") == "lakeside-clinic-st-john-s"
    assert proposed("診療所") == ""


def test_s35_init_beside_a_store_of_ones_own_works_before_any_start_and_leads_to_the_server(
    valkey_url: str, start_server: StartServer, tmp_path: Path
) -> None:
    settings = {"redis": {"url": valkey_url}, "server": {"demo": "no"}}
    (tmp_path / "config.toml").write_text(toml(settings))
    said = init(tmp_path, "Lakeside Clinic", *WORDS)
    path = re.search(r"http://127\.0\.0\.1:8000(/lakeside-clinic/staff/invitation/\S+)", said)
    assert path, said
    assert "another address than http://127.0.0.1:8000" in said
    assert "public_url" in said
    assert chooses(start_server(settings).wait(), path[1], "a password of ones own") == 200


def test_s35_a_folder_without_the_key_of_the_store_is_given_none(valkey_url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(toml({"redis": {"url": valkey_url}}))
    with redis.Redis.from_url(valkey_url) as store:
        store.set("greenroom:key", "another server's")
    assert "name the server’s data folder" in init(tmp_path, "Lakeside Clinic", *WORDS, code=1)
    assert not (tmp_path / "data" / secret.FILE).exists()


@pytest.mark.parametrize("options", [["--self-signed"], []])
def test_s35_links_are_those_of_the_running_server_with_its_options(
    start_server: StartServer, tmp_path: Path, options: list[str]
) -> None:
    server = start_server({"server": {"demo": "no"}}, options=options)
    server.until_said("Greenroom is at ")
    (origin,) = (event["url"] for event in server.events if event["event"] == "server.listening")
    assert re.fullmatch(r"https://127.0.0.1:\d+" if options else r"http://127.0.0.1:\d+", origin)
    said = init(tmp_path, "Lakeside Clinic", *WORDS)
    assert f"{origin}/lakeside-clinic/staff/invitation/" in said
    assert "another address" not in said
    server.stop()
    assert running_origin(server.data) is None, "a server that has stopped is at no address"
