"""Tests that every example of docs/LOAD-TESTER.md runs against a real server."""

from __future__ import annotations

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from tests.docs.marked import DOCS
from tests.prepared import GREENROOM
from tests.web.conftest import OpenSite as OpenSite
from tests.web.conftest import open_site as open_site
from tests.web.site import OSEI
from web.organisations import demo
from web.peers.run.observations import Observations

PAGE = (DOCS / "LOAD-TESTER.md").read_text("utf-8")


def examples() -> dict[str, Any]:
    """Return name -> value, for all names that the Python examples of docs/LOAD-TESTER.md define."""
    names: dict[str, Any] = {}
    exec(
        compile("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), "LOAD-TESTER.md", "exec"),
        names,
    )
    return names


async def test_every_example_of_the_load_testers_page_runs_against_a_real_server(open_site: OpenSite) -> None:
    site, shown = await open_site(), examples()
    who = f"{str(site.server.make_url('')).rstrip('/')}/demo", OSEI, demo.password(site.settings, OSEI)
    steps = await shown["a_visit"](*who)
    assert steps["waited"] > 0
    assert steps["picture"] > 0
    assert await shown["a_patient_who_reloads"](*who) == 1
    assert await shown["a_run"](*who) == []


def test_the_load_testers_page_shows_nothing_that_is_not_run() -> None:
    defined = set(re.findall(r"^async def (\w+)", PAGE, re.MULTILINE))
    assert defined == {"a_visit", "a_patient_who_reloads", "a_run"}


async def _passes_on(request: web.Request) -> web.WebSocketResponse:
    """Pass each message on to the person whom it names, as the example's server does."""
    people, name = request.app[PEOPLE], request.match_info["name"]
    socket = people[name] = web.WebSocketResponse()
    await socket.prepare(request)
    async for frame in socket:
        if frame.type is WSMsgType.TEXT:
            message = json.loads(frame.data)
            await people[message["to"]].send_json(message | {"from": name})
    return socket


PEOPLE = web.AppKey("people", dict[str, web.WebSocketResponse])


async def test_the_example_of_an_adapter_runs_the_same_scenario_against_a_server_of_another_kind(
    tmp_path: Path,
) -> None:
    (tmp_path / "passed_on.py").write_text(
        "".join(re.findall(r"```python adapter\n(.*?)```", PAGE, re.DOTALL))
    )
    (tmp_path / "scenario.toml").write_text(
        'adapter = "passed_on:PassedOn"\nmedia = "light"\npatients = 3\nproviders = 2\n'
        'arrivals = "at-once"\ntalk = "20ms"\nfill_in = "1s"\nreport = "report"\nfail_if = ["errors>0"]\n'
    )
    app = web.Application()
    app[PEOPLE] = {}
    app.router.add_get("/{name}", _passes_on)
    async with TestServer(app) as server:
        words = ("peers", "run", str(server.make_url("/")), "--scenario", "scenario.toml")
        played = await asyncio.create_subprocess_exec(GREENROOM, *words, cwd=tmp_path, stderr=PIPE)
        _, said = await played.communicate()
    assert played.returncode == 0, said
    seen = Observations.load(tmp_path / "report" / "observations.jsonl")
    assert len(seen.steps["journey"]) == 3
    assert len(seen.steps["first_frame"]) == 6
    assert seen.about.plan["adapter"] == "passed_on:PassedOn"
    assert seen.about.plan["left out"] == "fill in"
