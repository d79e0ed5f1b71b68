"""Tests `greenroom organisation` and `greenroom user` while a server with several separate clinics runs."""

import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import CONSOLE_SCRIPT, RunningServer
from web.commands.main import app
from web.commands.organisations import sentences
from web.config import parse
from web.errors import ConfigError
from web.server.valkey import address_file


def greenroom(server: RunningServer, *arguments: str, said: str = "", code: int = 0) -> str:
    """Run a command with the server's settings; return its output. `said`: its standard input. `code`: the exit code
    that it must have.

    The command runs in this process, because a new process would need a second for its imports.
    """
    found = CliRunner().invoke(app, [*arguments, "--config", str(server.config)], input=said)
    assert found.exit_code == code, found.output
    return found.output


class Browser:
    """A browser that keeps cookies. Each request returns (status, final address)."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> tuple[int, str]:
        return self._open(urllib.request.Request(self.server.url + path))

    def sign_in(self, organisation: str, email: str, password: str) -> bool:
        fields = urllib.parse.urlencode({"email": email, "password": password}).encode()
        request = urllib.request.Request(f"{self.server.url}/{organisation}/staff/sign-in", fields)
        request.add_header("Origin", self.server.url)
        status, where = self._open(request)
        return status == 200 and where == f"/{organisation}/staff"

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self.opener.open(request, timeout=WAIT_S) as answer:
                return answer.status, urllib.parse.urlsplit(answer.url).path
        except urllib.error.HTTPError as error:
            return error.code, urllib.parse.urlsplit(error.url or "").path


def password_in(text: str) -> str:
    found = re.search(r"^Password: (\S+)$", text, re.MULTILINE)
    assert found, text
    return found[1]


def test_an_operator_adds_an_organisation_and_its_people_beside_the_running_server(
    greenroom_server: StartServer,
) -> None:
    server = greenroom_server()
    said = greenroom(server, "organisation", "add", "Lakeside Clinic", "--slug", "lakeside")
    assert "/lakeside/staff/setup" in said
    assert "already" in greenroom(server, "organisation", "add", "Other", "--slug", "lakeside", code=1)
    assert "id: must be" in greenroom(server, "organisation", "add", "Other", "--slug", "No!", code=1)
    listed = greenroom(server, "organisation", "list")
    assert "Lakeside Clinic" in listed
    assert "Riverside Clinic" in listed

    at = ("--organisation", "lakeside")
    added = greenroom(
        server, "user", "add", "ida@lakeside.example", "--name", "Ida Berg", "--role", "admin", *at
    )
    password = password_in(added)
    browser = Browser(server)
    assert browser.sign_in("lakeside", "ida@lakeside.example", password)
    assert browser.get("/lakeside/staff/setup")[0] == 200
    assert browser.get("/demo/staff/setup")[1] == "/demo/staff/sign-in"
    assert not Browser(server).sign_in("demo", "ida@lakeside.example", password)

    typed = "a password of ones own\n"
    said = greenroom(
        server,
        "user",
        "add",
        "per@lakeside.example",
        "--name",
        "Per",
        "--state",
        "tx",
        "--stdin",
        *at,
        said=typed,
    )
    assert "Password" not in said
    other = Browser(server)
    assert other.sign_in("lakeside", "per@lakeside.example", typed.strip())
    assert "cannot sign in" in greenroom(server, "user", "disable", "per@lakeside.example", *at)
    assert other.get("/lakeside/staff")[1] == "/lakeside/staff/sign-in"
    assert "disabled" in greenroom(server, "user", "list", *at)
    assert "osei@" not in greenroom(server, "user", "list", *at)
    greenroom(server, "user", "enable", "per@lakeside.example", *at)
    fresh = password_in(greenroom(server, "user", "password", "per@lakeside.example", *at))
    assert Browser(server).sign_in("lakeside", "per@lakeside.example", fresh)
    assert not Browser(server).sign_in("lakeside", "per@lakeside.example", typed.strip())


def test_s45_an_operator_gives_and_takes_the_role_of_an_auditor(greenroom_server: StartServer) -> None:
    server, email = greenroom_server(), "uma@riverside.example"
    added = greenroom(server, "user", "add", email, "--name", "Uma Roth", "--role", "auditor")
    browser, password = Browser(server), password_in(added)
    assert not browser.sign_in("demo", email, password), "the first page is not the one of staff"
    assert browser.get("/demo/staff/setup/audit") == (200, "/demo/staff/setup/audit")
    assert browser.get("/demo/staff")[0] == 403
    assert f"{email} is provider of demo." in greenroom(server, "user", "role", email, "provider")
    assert browser.get("/demo/staff/setup/audit")[1] == "/demo/staff/sign-in", "the sign-in has ended"
    assert browser.sign_in("demo", email, password)
    greenroom(server, "user", "role", email, "auditor")
    assert "auditor" in greenroom(server, "user", "list")
    assert not browser.sign_in("demo", email, password)
    assert browser.get("/demo/staff/calendar")[0] == 403
    assert '"what": "account.changed"' in greenroom(server, "audit", "export")


REFUSED = [
    (("user", "disable", "nobody@riverside.example"), "There is no account for nobody@"),
    (("user", "reset-two-factor", "nobody@riverside.example"), "There is no account for nobody@"),
    (("user", "disable", "admin@riverside.example"), "There must be an administrator"),
    (("user", "role", "admin@riverside.example", "auditor"), "There must be an administrator"),
    (("user", "role", "osei@riverside.example", "guest"), "The role must be"),
    (("user", "role", "nobody@riverside.example", "admin"), "There is no account for nobody@"),
    (("user", "add", "nowhere", "--name", "X"), "is not an email address"),
    (("user", "add", "x@y.example", "--name", "X", "--state", "ZZ"), "is not the code of a region of US"),
    (("user", "list", "--organisation", "hillside"), "There is no organisation hillside; there are demo"),
]


def test_an_impossible_command_is_reported_in_one_sentence(greenroom_server: StartServer) -> None:
    server = greenroom_server()
    for arguments, said in REFUSED:
        found = greenroom(server, *arguments, code=1)
        assert found.startswith("greenroom: ")
        assert said in found


def test_without_a_running_server_the_commands_say_so(greenroom_server: StartServer) -> None:
    server = greenroom_server()
    server.stop()
    command = [CONSOLE_SCRIPT[0], "user", "list", "--config", str(server.config)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert found.returncode == 2
    assert "no Greenroom is running on" in found.stderr
    assert "greenroom serve" in found.stderr


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("unix://{folder}/own.sock", "at redis.url"),
        ("unix://{folder}/valkey/sock", "on {folder}"),
        ("", "on {folder}"),
    ],
)
def test_a_store_that_does_not_answer_is_named_by_redis_url_only_if_it_is_the_operators_own(
    tmp_path: Path, url: str, where: str
) -> None:
    address_file(tmp_path).parent.mkdir()
    address_file(tmp_path).write_text(f"unix://{tmp_path}/valkey/sock", "utf-8")
    settings = parse(
        {"data": {"folder": str(tmp_path)}, "redis": {"url": url.format(folder=tmp_path)}}, "test"
    )
    with (
        pytest.raises(ConfigError, match=f"the store {where.format(folder=tmp_path)} does not answer"),
        sentences(settings),
    ):
        raise ConnectionRefusedError
