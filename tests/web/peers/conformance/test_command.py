"""Tests `greenroom peers --conformance` and `--conformance-client` on the command line."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path

import aiohttp
import pytest
import typer
from typer.testing import CliRunner

from tests.limits import WAIT_S
from tests.web.site import OSEI, Site
from web.organisations import demo
from web.peers.cli.command import peers_app
from web.peers.conformance.endpoint import Endpoint

Said = tuple[int, str, str]


def typed(*words: str, stdin: str = "") -> Said:
    """Run a command line; return (exit code, standard output, standard error)."""
    done = CliRunner().invoke(peers_app, list(words), input=stdin)
    return done.exit_code, done.stdout, done.stderr


async def test_a_server_is_checked_by_its_address(site: Site, tmp_path: Path) -> None:
    people = f"{OSEI} {demo.password(site.settings, OSEI)}\n"
    url, file = str(site.server.make_url("/demo")), tmp_path / "found.json"
    words = ["--conformance", url, "--credentials", "-", "--only", "hello", "--only", "second provider"]
    code, said, refused = await asyncio.to_thread(typed, *words, "--json", str(file), stdin=people)
    assert code == 0, said + refused
    assert re.search(r"\d+ kept, 0 wrong, 0 not told, 1 not tried\.", said)
    assert "not tried: needs a second member of staff (1 check)" in said
    found = json.loads(file.read_text())
    assert {each["result"] for each in found} == {"kept", "not tried"}
    # The command prints a line for each check, also if the output is not a terminal.
    assert len(re.findall(r"^(?:kept|not tried) +\w+: .* \(PROTOCOL\.md#", said, re.MULTILINE)) == len(found)
    assert all(each["section"].startswith("PROTOCOL.md#") for each in found)
    words = ["--conformance", url, "--credentials", "-", "--only", "hello", "--lines", "-"]
    code, said, told = await asyncio.to_thread(typed, *words, stdin=people)
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert (code, {line["result"] for line in lines}) == (0, {"kept"})
    assert f"{len(lines)} kept, 0 wrong" in told
    words, wrong = ["--conformance", url, "--credentials", "-"], f"{OSEI} wrong-password\n"
    code, _, refused = await asyncio.to_thread(typed, *words, stdin=wrong)
    assert code == 2
    assert "email or password are wrong" in refused


def test_a_missing_server_is_reported_in_one_sentence() -> None:
    for words, sentence in (
        (["http://127.0.0.1:9/demo"], "nobody answers at http://127.0.0.1:9"),
        (["ftp://example.org"], "expected the address of a server"),
        ([], "or --local"),
    ):
        code, said, refused = typed("--conformance", *words)
        assert (code, said) == (2, "")
        assert sentence in refused
        assert len(refused.strip().splitlines()) == 1


async def test_the_command_prints_where_a_client_connects_and_its_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(typer, "echo", lambda text: loop.call_soon_threadsafe(told.put_nowait, text))
    running = asyncio.create_task(asyncio.to_thread(typed, "--conformance-client"))
    async with asyncio.timeout(WAIT_S):
        url = (await told.get()).split()[-1]
    headers = {"Origin": "http://127.0.0.1"}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, protocols=("greenroom.v1.json",), headers=headers) as ws,
    ):
        # The client sends a ping instead of a hello, so the check cannot continue.
        await ws.send_json({"type": "ping", "id": 1})
        async with asyncio.timeout(WAIT_S):
            code, said, _ = await running
    assert code == 1
    assert "hello first" in said
    assert "PROTOCOL.md#hello-and-welcome" in said


def test_an_error_while_the_server_is_played_is_not_called_an_address_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(endpoint: Endpoint) -> None:
        raise TimeoutError

    monkeypatch.setattr(Endpoint, "run", run)
    done = CliRunner().invoke(peers_app, ["--conformance-client"])
    assert isinstance(done.exception, TimeoutError)
    assert "cannot listen" not in done.stderr
    code, _, refused = typed("--conformance-client", "--host", "a..b")
    assert (code, "cannot listen on a..b, port 0: " in refused) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, refused = typed("--conformance-client", "--port", port)
    assert (code, f"cannot listen on 127.0.0.1, port {port}: " in refused) == (2, True)


@pytest.mark.parametrize("option", ["--json", "--lines"])
async def test_a_disk_that_is_full_is_no_fault_of_the_server(site: Site, option: str) -> None:
    people = f"{OSEI} {demo.password(site.settings, OSEI)}\n"
    words = ["--conformance", str(site.server.make_url("/demo")), "--credentials", "-", "--only", "hello"]
    code, _, refused = await asyncio.to_thread(typed, *words, option, "/dev/full", stdin=people)
    assert (code, refused.splitlines()[-1]) == (2, "greenroom peers: /dev/full: No space left on device")


def test_a_file_of_staff_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "staff").write_bytes(b"\xff")
    words = ["--conformance", "http://127.0.0.1:9/demo", "--credentials", str(tmp_path / "staff")]
    code, _, refused = typed(*words)
    assert (code, refused) == (2, f"greenroom peers: {tmp_path / 'staff'}: expected text in UTF-8\n")
