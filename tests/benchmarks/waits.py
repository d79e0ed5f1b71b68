"""Measures how long two people in Chromium wait in a visit, near the server and far from it.

There are three waits: from a press of Claim until the patient's page has painted the session; from the second press of
Start Session until both pages show the other's picture; and the longest time without a new picture after the worker
that carries the call was killed. The network between the patient's browser and the server has a delay and loses
packets, in both directions. This holds for the page's connection and for the media.
"""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, Error

from tests.benchmarks import calls
from tests.benchmarks.calls import Call, reason
from tests.benchmarks.figures import Figure, Made, Skipped, Wait, percentile, times
from tests.benchmarks.networks import both, chromium, gap_s, until_found
from tests.browsers import SHOWN_MS, find_chromium
from tests.journeys.people import Patient, Staff, on_call, person
from tests.server import RunningServer
from web.peers.network.network import Network, Way
from web.peers.network.offers import led_through, server_of
from web.peers.network.proxy import Proxy, proxied
from web.server.subprocesses import udp_ports

SCRIPT = Path(__file__).with_name("waits.js").read_text("utf-8")
LIMIT_S, BACK_S = 10 * 60.0, 30.0
CLAIM, START, KILLED = "claim", "start", "killed"
NAMES = {
    CLAIM: "Claim to the patient’s page painted",
    START: "second Start Session to the picture in the visit’s pages, slower screen",
}


@dataclass(frozen=True)
class Place:
    """Where the patient is. `network`: what lies between the patient and the server; None for a patient on the
    server's machine, without a proxy.
    """

    name: str
    network: Network | None = None


def away(round_trip_ms: float, loss: float) -> Place:
    """Return a place with this round-trip time, whose network loses a share (0 to 1) of the packets in each
    direction.
    """
    way = Way(delay_ms=round_trip_ms / 2, loss=loss)
    return Place(f"{round_trip_ms:g} ms, {100 * loss:g} % loss", both(way))


NEAR = Place("no network")
PLACES = (NEAR, *(away(round_trip_ms, loss) for round_trip_ms in (50, 150) for loss in (0, 0.01, 0.05)))
TARGETS = {CLAIM: 120.0, START: 80.0}
"""Kind of wait -> the greatest median in ms for a patient on the server's machine."""


@dataclass(frozen=True)
class Size:
    """How much a run measures: the places, the visits in each, and in how many of them the worker is killed."""

    places: Sequence[Place]
    visits: int
    kills: int


WHOLE, QUICK = Size(PLACES, 7, 3), Size((NEAR, away(150, 0.01)), 1, 1)


def summary(place: Place, visits: int, waits: dict[str, list[float]]) -> Wait:
    """Return the median and the longest of each kind of wait at a place.

    `visits`: the number of measured visits. `waits`: kind -> the waits in ms.
    """
    found = {
        kind: (percentile(values, 50), max(values)) if values else None for kind, values in waits.items()
    }
    return Wait(place.name, visits, found[CLAIM], found[START], found[KILLED])


def figures(wait: Wait) -> list[Figure]:
    """Return the figures with a target, from the waits of a patient on the server's machine."""
    note = f"in Chromium, {times(wait.visits, 'visit')}"
    return [
        Figure(f"wait_{kind}_p50_ms", f"{NAMES[kind]}, p50", found[0], "ms", TARGETS[kind], note)
        for kind, found in ((CLAIM, wait.claim), (START, wait.start))
        if found is not None
    ]


class Visits:
    """Plays visits of a patient at one place with one provider, one after another.

    `waits`: kind of wait -> the waits so far, in ms.
    """

    def __init__(
        self, browser: Browser, server: RunningServer, provider: Staff, proxies: tuple[Proxy, Proxy] | None
    ) -> None:
        self.waits: dict[str, list[float]] = {kind: [] for kind in (CLAIM, START, KILLED)}
        self._browser, self._server, self._provider, self._proxies = browser, server, provider, proxies
        self._media_port = 0

    async def play(self, kill: bool) -> None:
        """Play one visit and record its waits. `kill`: whether the worker that carries the call is killed
        during this visit.
        """
        patient = await self._patient()
        provider = self._provider
        await patient.meet_now()
        await provider.sees("Ana Ruiz")
        painted = asyncio.ensure_future(patient.page.evaluate("__painted('Start Session')"))
        try:
            pressed_ms = await provider.page.evaluate("__press('Claim')")
            self.waits[CLAIM].append(await painted - pressed_ms)
        finally:
            painted.cancel()
        await provider.sees("Start Session")
        await self._connected(patient, provider)
        await patient.press("Start Session")
        await provider.sees("pressed Start Session")
        tiles = asyncio.gather(*(page.evaluate("__tile()") for page in (patient.page, provider.page)))
        try:
            pressed_ms = await provider.page.evaluate("__press('Start Session')")
            self.waits[START].append(max(await tiles) - pressed_ms)
        finally:
            tiles.cancel()
        if kill:
            await self._kill(Call(patient.page, provider.page, *(self._proxies or (None,))))
        await provider.press("End")
        await provider.confirm()
        await patient.page.context.close()
        await provider.go("/demo/staff")

    async def _patient(self) -> Patient:
        behind = copy.copy(self._server)
        if self._proxies is not None:
            behind.url = f"http://127.0.0.1:{self._proxies[1].port}"
        patient: Patient = await person(self._browser, behind, Patient)

        def led(offer: str) -> str:
            self._media_port = server_of(offer)[1]
            if self._proxies is None:
                return offer
            media = self._proxies[0]
            media.lead_to(server_of(offer))
            return led_through(offer, "127.0.0.1", media.port)

        await patient.page.expose_function("__led", led)
        for script in (calls.LED, calls.SCRIPT, SCRIPT):
            await patient.page.add_init_script(script)
        return patient

    async def _connected(self, *people: Patient | Staff) -> None:
        for one in people:
            await one.page.wait_for_function(
                "() => window.__peer()?.connectionState === 'connected'", timeout=SHOWN_MS
            )

    async def _kill(self, call: Call) -> None:
        await asyncio.sleep(2)
        (owner,) = [pid for pid in self._server.pids if self._media_port in udp_ports(pid)]
        killed_ms = time.time() * 1000
        os.kill(owner, signal.SIGKILL)
        gap = await until_found(call, gap_s, killed_ms, BACK_S)
        self.waits[KILLED].append(1000 * (BACK_S if gap is None else gap))


@asynccontextmanager
async def _proxies(server: RunningServer, network: Network) -> AsyncIterator[tuple[Proxy, Proxy]]:
    """Yield (the proxy for the media, the proxy for the page); both play `network` in front of the server."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    async with (
        proxied(network, ("127.0.0.1", 9)) as media,
        proxied(network, (address.hostname, address.port)) as page,
    ):
        yield media, page


async def _at(browser: Browser, place: Place, size: Size) -> Wait:
    """Start a server, measure how long a patient at `place` waits there, and return the waits.

    `size`: how many visits are measured.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(_server())
        network = place.network
        proxies = None if network is None else await stack.enter_async_context(_proxies(server, network))
        provider = await on_call(browser, server)
        for script in (calls.SCRIPT, SCRIPT):
            await provider.page.add_init_script(script)
        await provider.go("/demo/staff")
        visits = Visits(browser, server, provider, proxies)
        try:
            for number in range(size.visits):
                await visits.play(kill=number >= size.visits - size.kills)
        finally:
            for context in list(browser.contexts):
                await context.close()
    return summary(place, size.visits, visits.waits)


@asynccontextmanager
async def _server() -> AsyncIterator[RunningServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = RunningServer(Path(folder), {"server": {"port": 0, "workers": 2}})
        try:
            yield await asyncio.to_thread(server.wait)
        finally:
            await asyncio.to_thread(server.stop)


async def _measure(size: Size, tell: Callable[[float], None]) -> Made:
    path, made = find_chromium(), Made()
    if path is None:
        return Made(skipped=[Skipped("Waits in a visit", "there is no Chromium")])
    async with asyncio.timeout(LIMIT_S), chromium(path) as browser:
        for number, place in enumerate(size.places):
            try:
                wait = await _at(browser, place, size)
                made.waits.append(wait)
                made.figures += figures(wait) if place is NEAR else []
            except (Error, AssertionError) as problem:
                made.skipped.append(Skipped(f"Waits in a visit, {place.name}", reason(problem)))
            tell((number + 1) / len(size.places))
    return made


def measure(quick: bool, tell: Callable[[float], None]) -> Made:
    """Measure the waits at all places, if `quick` at two of them; return their figures.

    `tell`: called with the progress (0.0 to 1.0). Raises TimeoutError after LIMIT_S.
    """
    return asyncio.run(_measure(QUICK if quick else WHOLE, tell))
