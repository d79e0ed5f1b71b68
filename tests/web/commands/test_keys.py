"""Tests `greenroom key` while a server runs."""

import json
import urllib.error
import urllib.request

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.web.commands.test_organisations import greenroom


def status(server: RunningServer, token: str) -> int:
    """Return the status of the API's answer to a request with this key."""
    request = urllib.request.Request(
        f"{server.url}/demo/api/v1/queue", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            assert json.load(answer) == {"patients": []}
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_an_operator_makes_a_key_that_opens_at_once_and_revokes_it(greenroom_server: StartServer) -> None:
    server = greenroom_server()
    token = greenroom(server, "key", "add", "Lab system", "--scope", "read").splitlines()[0]
    assert status(server, token) == 200
    line = greenroom(server, "key", "list")
    assert "Lab system" in line
    assert token not in line
    key = line.split()[0]
    greenroom(server, "key", "revoke", key)
    assert status(server, token) == 401
    assert f"There is no key {key}" in greenroom(server, "key", "revoke", key, code=1)
    assert "There is no key yet." in greenroom(server, "key", "list")
    assert "1 to 100 characters" in greenroom(server, "key", "add", " ", "--scope", "read", code=1)
