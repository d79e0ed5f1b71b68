"""Makes calls of two people in Chromium, over our relay and directly between the browsers; the patient's network is
bad.

This module begins a call and changes its network. The measurements are defined in `networks.py`.
"""

from __future__ import annotations

import asyncio
import copy
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page

from tests.journeys.people import Patient, Staff, person
from tests.server import RunningServer
from web.peers.network.network import Network
from web.peers.network.offers import CANDIDATE, led_through, server_of
from web.peers.network.proxy import Proxy, proxied

SCRIPT = Path(__file__).with_name("calls.js").read_text("utf-8")
LED = """
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = async function ({ type, sdp }) {
  return set.call(this, { type, sdp: type === "offer" ? await window.__led(sdp) : sdp });
};
"""
"""A script for the patient's page: it changes each offer, so that the page reaches the relay through the proxy."""


@dataclass
class Call:
    """A call: the pages of the patient and of the provider, and the proxies between the patient and everything else.

    `media`: the proxy for the media. `signalling`: the proxy between the patient's page and the server, or None.
    `began_s`: the time (`time.time`) at which the second person pressed Start Session.
    """

    patient: Page
    provider: Page
    media: Proxy
    signalling: Proxy | None = None
    began_s: float = field(default_factory=time.time)

    async def counts(self) -> list[dict[str, float]]:
        """Return the counters of getStats: a map for the patient's page, and one for the provider's."""
        return [await page.evaluate("__counts()") for page in (self.patient, self.provider)]

    async def looks(self, since_ms: float = 0.0) -> list[list[tuple[float, int, int]]]:
        """Return the samples of the patient's and of the provider's screen since `since_ms`, 20 a second.

        Each sample is (time in ms, frames decoded so far, height of the picture in lines).
        """
        ask = f"__arrived.filter(([at]) => at >= {since_ms})"
        return [[tuple(one) for one in await page.evaluate(ask)] for page in (self.patient, self.provider)]


@asynccontextmanager
async def relayed(browser: Browser, network: Network) -> AsyncIterator[Call]:
    """Yield a call over our relay, on a server that is started for it; both people have pressed Start Session.

    `network`: the network between the patient's browser and the relay, as it is at first.
    """
    with tempfile.TemporaryDirectory() as folder:
        server = RunningServer(Path(folder), {"server": {"port": 0, "workers": 1}})
        try:
            await asyncio.to_thread(server.wait)
            address = urlsplit(server.url)
            assert address.hostname is not None
            assert address.port is not None
            pages = proxied(Network(), (address.hostname, address.port))
            async with pages as signalling, proxied(network, ("127.0.0.1", 9)) as media:
                yield await _visit(browser, server, signalling, media)
        finally:
            for context in list(browser.contexts):
                await context.close()
            await asyncio.to_thread(server.stop)


async def _visit(browser: Browser, server: RunningServer, signalling: Proxy, media: Proxy) -> Call:
    provider: Staff = await person(browser, server, Staff)
    behind = copy.copy(server)
    behind.url = f"http://127.0.0.1:{signalling.port}"
    patient: Patient = await person(browser, behind, Patient)

    def led(offer: str) -> str:
        media.lead_to(server_of(offer))
        return led_through(offer, "127.0.0.1", media.port)

    await patient.page.expose_function("__led", led)
    await patient.page.add_init_script(LED)
    for one in (patient, provider):
        await one.page.add_init_script(SCRIPT)
    await provider.sign_in("osei")
    await provider.go_on_call()
    await patient.meet_now()
    await provider.claim()
    await patient.press("Start Session")
    call = Call(patient.page, provider.page, media, signalling)
    await provider.press("Start Session")
    return call


@asynccontextmanager
async def direct(browser: Browser, network: Network) -> AsyncIterator[Call]:
    """Yield a call without a server. The patient's Chromium reaches the provider's only through a proxy.

    `network`: the network that the proxy simulates when the call begins.
    """

    async def blank(request: Any) -> None:
        await request.fulfill(body="<!doctype html><body>", content_type="text/html")

    pages = []
    for _ in range(2):
        one: Any = await person(browser, None, Patient)  # type: ignore[arg-type]
        await one.page.add_init_script(SCRIPT)
        await one.page.route("**", blank)
        await one.page.goto("http://127.0.0.1/")
        await one.page.evaluate("__direct()")
        pages.append(one.page)
    patient, provider = pages
    try:
        offer = CANDIDATE.sub("", await patient.evaluate("__say('offer', null)"))
        say = "(offer) => __say('answer', { type: 'offer', sdp: offer })"
        answer = re.sub(r"a=candidate:\S+ 1 tcp .*\r\n", "", await provider.evaluate(say, offer))
        async with proxied(network, server_of(answer)) as media:
            call = Call(patient, provider, media)
            led = led_through(answer, "127.0.0.1", media.port)
            await patient.evaluate("(answer) => __say(null, { type: 'answer', sdp: answer })", led)
            yield call
    finally:
        for page in pages:
            await page.context.close()


def reason(problem: BaseException) -> str:
    """Return why a measurement failed: the first line of its error, or the error's name.

    The caller can then go on with the next measurement. Raises CancelledError instead if the present task is
    being cancelled, for example after SIGTERM: `problem` may then be an error of Playwright, which raises
    errors of its own while browsers are closed.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from problem
    return str(problem).partition("\n")[0] or type(problem).__name__
