"""Tests that every example of CLIENT-PYTHON.md runs, in the page's order, against a real server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

import signalling
from signalling.clients.client import SignallingClient
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.conftest import OpenSite as OpenSite
from tests.web.conftest import open_site as open_site
from tests.web.site import OSEI
from web.organisations import demo

PAGE = Path(signalling.__file__).with_name("protocol").joinpath("CLIENT-PYTHON.md").read_text("utf-8")


def examples() -> dict[str, Any]:
    """Return the names that the examples of the page define, with their values."""
    names: dict[str, Any] = {}
    exec(
        compile("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), "CLIENT-PYTHON.md", "exec"),
        names,
    )
    return names


@asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield http


async def test_every_example_of_the_page_runs_against_a_real_server(open_site: OpenSite) -> None:
    site, shown = await open_site(), examples()
    origin = str(site.server.make_url("")).rstrip("/")
    async with browser() as anas, browser() as oseis, AsyncExitStack() as sockets:
        await shown["sign_in"](oseis, origin, "demo", OSEI, demo.password(site.settings, OSEI))
        await shown["meet_now"](anas, origin, "demo")
        patient: SignallingClient = await shown["connect"](anas, origin, "demo", "patient")
        provider: SignallingClient = await shown["connect"](oseis, origin, "demo", "staff")
        for client in (patient, provider):
            await sockets.enter_async_context(client)
        rows: dict[str, Any] = {}
        follows = asyncio.create_task(shown["follows_the_queue"](oseis, origin, "demo", rows))
        visit = await shown["waits_in_line"](patient)
        await until(lambda: visit in rows and rows[visit]["online"])
        assert await shown["claims_the_first"](provider) == visit
        await until(lambda: visit not in rows)
        await shown["talk"](patient, provider, visit)
        await shown["loses_its_socket"](oseis, origin, "demo")
        await oseis.post(f"{origin}/demo/staff/sign-out", headers={"Origin": origin})
        async with asyncio.timeout(WAIT_S):
            assert await follows == 4201


def test_every_example_on_the_page_is_run_by_a_test() -> None:
    shown = {
        name
        for name, value in examples().items()
        if getattr(value, "__module__", None) is None or callable(value)
    }
    defined = set(re.findall(r"^async def (\w+)", PAGE, re.MULTILINE))
    assert defined <= shown
    used = Path(__file__).read_text("utf-8")
    inside = {name for name in defined if re.search(rf"await {name}\(", PAGE)}
    assert {name for name in defined - inside if f'shown["{name}"]' not in used} == set()
