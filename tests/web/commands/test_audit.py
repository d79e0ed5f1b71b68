"""Tests `greenroom audit` while the server runs: it checks the audit log, shows where it is broken,
and exports it.
"""

import json
import os
import re
import subprocess
import time
from typing import Any

import redis

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.server import CONSOLE_SCRIPT, RunningServer
from tests.web.commands.test_organisations import Browser, greenroom
from web.audit.seen_entries import SeenEntriesFile
from web.config import load
from web.organisations import demo
from web.server.data_key import FILE
from web.server.valkey import address_file

LIND = "lind@riverside.example"


def store_of(server: RunningServer) -> Any:
    """Return a client of the server's own store, as an intruder on the machine could have."""
    return redis.Redis.from_url(address_file(server.data).read_text("utf-8"), socket_timeout=WAIT_S)


def test_the_log_is_verified_exported_and_found_broken(greenroom_server: StartServer) -> None:
    server = greenroom_server(workers=2)
    assert "demo: no entries yet" in greenroom(server, "audit", "verify")
    greenroom(server, "user", "disable", LIND)
    greenroom(server, "user", "enable", LIND)
    token = greenroom(server, "key", "add", "Front office", "--scope", "read").split()[0]
    key = token.split("_")[1]
    greenroom(server, "key", "revoke", key)
    assert Browser(server).sign_in("demo", LIND, demo.password(load(server.config), LIND))
    end_s = time.monotonic() + WAIT_S
    while "demo: 5 entries" not in (said := greenroom(server, "audit", "verify", "--organisation", "demo")):
        assert time.monotonic() < end_s, said  # a worker adds the newest entries to the log within a second
    assert re.search(r"demo: 5 entries, unbroken since 20\d\d-\d\d-\d\d \d\d:\d\d UTC", said), said

    def export(*filters: str) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in greenroom(server, "audit", "export", *filters).splitlines() if line
        ]

    entries = export()
    assert [(e["kind"], e["what"], e.get("about", "")) for e in entries[:5]] == [
        ("command", "account.disabled", "u_lind"),
        ("command", "account.enabled", "u_lind"),
        ("command", "key.added", key),
        ("command", "key.revoked", key),
        ("staff", "signin.succeeded", ""),
    ]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", e["at"]) for e in entries)
    assert [e["what"] for e in export("--who", LIND)] == ["signin.succeeded"]
    assert export("--since", "2099-01-01") == []
    assert export("--visit", "v_1") == []
    store = store_of(server)
    second = store.lindex("{demo}:audit", 1)
    store.lset("{demo}:audit", 1, second.replace(b"u_lind", b"u_osei"))
    assert "entry 2 was changed" in greenroom(server, "audit", "verify", code=1)
    store.lset("{demo}:audit", 1, second)
    assert "unbroken" in greenroom(server, "audit", "verify")
    store.ltrim("{demo}:audit", 0, -2)
    assert "cut from the end" in greenroom(server, "audit", "verify", code=1)
    store.close()
    assert server.stop() == 0
    # This file names the last entry that the server had seen. The workers wrote it when they stopped.
    seen = SeenEntriesFile(server.data).get("demo")
    assert seen is not None
    assert seen[0] >= 5


def test_an_export_whose_reader_goes_away_leaves_its_entry_and_names_the_problem(
    greenroom_server: StartServer,
) -> None:
    server = greenroom_server(workers=1)
    greenroom(server, "user", "disable", LIND)
    reader, writer = os.pipe()
    os.close(reader)
    command = [CONSOLE_SCRIPT[0], "audit", "export", "--config", str(server.config)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=WAIT_S)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "greenroom: the entries are not all written (Broken pipe)\n")
    assert greenroom(server, "audit", "export").count("audit.exported") == 2, "its own entry is the second"


def test_a_command_that_changes_something_takes_the_servers_key(greenroom_server: StartServer) -> None:
    server = greenroom_server()
    (server.data / FILE).rename(server.data / "elsewhere")
    assert "secret.key is not here" in greenroom(server, "user", "disable", LIND, code=1)
    assert "Dr Jonas Lind" in greenroom(server, "user", "list")
