"""Tests the app as a whole: static files, answers to errors, readiness, and values that are never logged."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSMsgType
from redis.exceptions import ConnectionError

from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.web.site import FORM, OSEI, Site
from web.config import load
from web.keys import ACCOUNTS, DRAINING
from web.organisations import demo
from web.pages import rendering
from web.pages.static_files import link

# --- tests of static files and their links


async def test_a_files_link_carries_its_hash_and_is_kept_for_a_year(site: Site) -> None:
    someone = site.person()
    assert f'href="{link("css/common.css")}"' in await (await someone.get("/demo")).text()
    response = await someone.get(link("css/common.css"))
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("prefix", ["", "0123456789ab/"])
async def test_a_page_of_an_older_build_still_finds_its_files(site: Site, prefix: str) -> None:
    response = await site.person().get(f"/static/{prefix}signalling.js")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/nothing.css",
        "/static/css",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static/%2fetc/passwd",
        "/static/css/base.css%00.js",
        "/static/vendor/lit-html/LICENSE",
    ],
)
async def test_nothing_but_the_static_folder_is_served(site: Site, path: str) -> None:
    assert (await site.person().get(path)).status == 404


def test_boot_data_cannot_end_its_script_element() -> None:
    hostile = {"name": "</script><script>alert(1)</script>\u2028&'\""}
    text = str(rendering._tojson(hostile))
    assert "<" not in text
    assert json.loads(text) == hostile


# --- tests of errors of the server


async def test_a_fault_of_ours_is_a_page_without_a_trace(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    osei = site.person()
    await osei.sign_in(OSEI)

    async def broken(*_: object) -> None:
        raise KeyError("canary-4711")

    monkeypatch.setattr(site.app[ACCOUNTS], "get", broken)
    response = await osei.get("/demo/staff")
    text = await response.text()
    assert response.status == 500
    assert "Something went wrong" in text
    assert "canary-4711" not in text
    assert "KeyError" not in text


async def test_a_store_that_does_not_answer_is_shown_on_the_page_which_tries_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    osei = site.person()
    await osei.sign_in(OSEI)

    async def gone(*_: object) -> None:
        raise ConnectionError("canary-4711")

    monkeypatch.setattr(site.app[ACCOUNTS], "get", gone)
    response = await osei.get("/demo/staff")
    text = await response.text()
    assert response.status == 503
    assert "Unavailable, retrying" in text
    assert "canary-4711" not in text
    assert (response.headers["Retry-After"], response.headers["Refresh"]) == ("5", "5")
    monkeypatch.setattr(site.app[ACCOUNTS], "check", gone)
    response = await osei.sign_in(OSEI)
    assert response.status == 503
    assert "Refresh" not in response.headers


async def test_a_body_that_does_not_come_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.requests.forms.BODY_S", 0.2)
    host, port = site.server.host, site.server.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"POST /demo/information HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=Ana".encode()
    )
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


# --- tests of a worker's readiness


async def test_a_worker_is_ready_until_it_drains(site: Site) -> None:
    someone = site.person()
    assert (await someone.get("/healthz")).status == 200
    assert (await someone.get("/readyz")).status == 200
    site.app[DRAINING].set()
    assert (await someone.get("/readyz")).status == 503
    assert (await someone.get("/healthz")).status == 200


# --- tests with the real server: a store that does not answer, and the content of the log


def page(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def store_process(server_pid: int) -> int:
    children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
    return next(int(pid) for pid in children if "valkey" in Path(f"/proc/{pid}/comm").read_text())


async def test_a_frozen_store_fails_closed_and_heals_alone(greenroom_server: StartServer) -> None:
    server = greenroom_server(redis={"socket_timeout_s": 2.0})
    ask = asyncio.get_running_loop().run_in_executor
    assert server.status("/readyz") == 200
    store = store_process(server.process.pid)
    os.kill(store, signal.SIGSTOP)
    try:
        async with asyncio.timeout(WAIT_S):
            # A worker keeps the organisation's settings for two seconds, so it can answer during this time.
            while (answer := await ask(None, page, server.url + "/demo"))[0] == 200:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
        assert (answer[0], "Unavailable, retrying" in answer[1]) == (503, True)
        assert await ask(None, server.status, "/readyz") == 503
        assert await ask(None, server.status, "/healthz") == 200
    finally:
        os.kill(store, signal.SIGCONT)
    async with asyncio.timeout(WAIT_S):
        while await ask(None, server.status, "/readyz") != 200:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.1)
    assert (await ask(None, page, server.url + "/demo"))[0] == 200


async def test_no_patient_no_token_and_no_password_reaches_the_log(greenroom_server: StartServer) -> None:
    server = greenroom_server(log={"level": "debug"})
    settings = load(server.config)
    form = {
        **FORM,
        "name": "Canary Nightingale",
        "reason": "canary-reason",
        "email": "canary@patient.example",
    }
    async with ClientSession(
        server.url, cookie_jar=CookieJar(unsafe=True), headers={"Origin": server.url}
    ) as someone:
        for fields in ({**form, "phone": "canary"}, form):
            await someone.post("/demo/information", data=fields)
        for password in ("canary-password\r\nforged line", demo.password(settings, OSEI)):
            await someone.post("/demo/staff/sign-in", data={"email": OSEI, "password": password})
        for path in (
            "/demo/visit",
            "/demo/staff",
            "/canary-path",
            "/demo/canary-path?canary=1",
            "/static/canary.js",
        ):
            await someone.get(path)
        ws = await someone.ws_connect("/demo/ws", protocols=("greenroom.v1.json",))
        for message in (
            {"type": "hello", "id": 1, "role": "patient"},
            {"type": "canary", "id": 2},
            {"type": "ping"},
        ):
            await ws.send_json(message)
            await ws.receive()
        cookies = [cookie.value for cookie in someone.cookie_jar]
    server.stop()
    assert "visit.opened" in server.log
    for canary in ("anary", "Nightingale", "forged", demo.password(settings, OSEI), *filter(None, cookies)):
        assert canary not in server.log


async def test_a_server_that_stops_sends_people_on_and_exits_0(greenroom_server: StartServer) -> None:
    server = greenroom_server(workers=2)
    async with ClientSession(
        server.url, cookie_jar=CookieJar(unsafe=True), headers={"Origin": server.url}
    ) as someone:
        await someone.post("/demo/information", data=FORM)
        ws = await someone.ws_connect("/demo/ws", protocols=("greenroom.v1.json",))
        await ws.send_json({"type": "hello", "id": 1, "role": "patient"})
        welcome = await ws.receive_json()
        await ws.send_json({"type": "visit.enter", "id": 2, "visit": welcome["visit"]})
        stopped = asyncio.get_running_loop().run_in_executor(None, server.stop)
        while (message := await ws.receive(timeout=WAIT_S)).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
            pass
        assert message.data == 1001
        assert await stopped == 0


def test_a_worker_loads_neither_aiortc_nor_ffmpeg() -> None:
    """Each of these modules would cost a process 11 MB, and only synthetic people of the load tester need them."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, web.app; print({'av', 'aiortc'} & set(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert loaded.stdout.strip() == "set()"
