"""Measures what two people in a call see, on Chromium pages that use media.js.

The measurements are the time from a press of Start Session to the picture, the gap in the picture when a page is
reloaded, and the frames per second while packets get lost.

`python -m tests.media.people` measures on a machine that should have no other load. It prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.browsers import ARGUMENTS, find_chromium
from tests.limits import WAIT_S
from tests.media.call_server import CallServer, call_server
from web.peers.network.network import Network, lossy

CAMERA = "--use-fake-device-for-media-stream"
SWITCHES = [
    *(f"{CAMERA}=fps=30" if switch.startswith(CAMERA) else switch for switch in ARGUMENTS),
    "--autoplay-policy=no-user-gesture-required",  # lets the pages play sound without a click
]
# A frame with a luma (brightness) above this value is a picture of the fake camera, whose green is much
# brighter. A frame below it is black.
PICTURE = 60


@asynccontextmanager
async def chromium_with_camera(path: str | None = None) -> AsyncIterator[Browser]:
    """Yield a Chromium whose fake camera has 30 frames a second, as real cameras have."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path or find_chromium(), args=SWITCHES)
        yield launched
        await launched.close()


@dataclass(slots=True)
class Person:
    """A person with one page of a room on the test server."""

    page: Page
    name: str

    async def ask(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return await self.page.evaluate(expression)

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        await self.page.wait_for_function(f"() => {expression}", timeout=WAIT_S * 1000, polling=20)

    async def until_value(self, expression: str, holds: Callable[[Any], bool], pause_s: float = 0.2) -> None:
        """Ask for the value of an expression in the page every `pause_s`, until `holds` is true for it."""
        async with asyncio.timeout(WAIT_S):
            while not holds(await self.ask(expression)):  # noqa: ASYNC110 - the page has no event for it
                await asyncio.sleep(pause_s)

    async def press(self) -> float:
        """Press Start Session; return the page's time in ms."""
        pressed: float = await self.ask("call.press()")
        return pressed

    async def frames(self) -> list[tuple[float, int]]:
        """Return (time in ms, brightest luma) of every remote frame that the page has decoded."""
        return [(at, brightest) for at, brightest in await self.ask("call.frames")]

    async def stats(self) -> dict[str, Any]:
        """Return the figures about the call that the page's script media.js reports."""
        figures: dict[str, Any] = await self.ask("call.media.stats()")
        return figures


async def enter(browser: Browser, server: CallServer, room: str, name: str, extra: str = "") -> Person:
    """Open the page of `name` in `room` in its own browser context; return the person when page and devices
    are ready.

    `extra`: text to append to the query of the page's URL.
    """
    context = await browser.new_context()
    page = await context.new_page()
    person = Person(page, name)
    await load(person, server, room, extra)
    return person


async def load(person: Person, server: CallServer, room: str, extra: str = "") -> None:
    """Load or reload the page of a person in `room`. `extra`: text to append to the query of the page's URL.

    Do not wait for the page's load event, which comes late if a video element has a stream without data.
    """
    url = f"{server.url}?room={room}&party={person.name}{extra}"
    await person.page.goto(url, wait_until="domcontentloaded")
    await person.ask("call.prepared")
    await person.until("call.media.state === 'connected'")


@asynccontextmanager
async def pair(
    browser: Browser, server: CallServer, room: str = "room"
) -> AsyncIterator[tuple[Person, Person]]:
    """Yield two people who are connected in `room`, and have not pressed Start Session."""
    a, b = await asyncio.gather(enter(browser, server, room, "a"), enter(browser, server, room, "b"))
    yield a, b
    await asyncio.gather(a.page.context.close(), b.page.context.close())
    server.room(room).close()


async def talking(a: Person, b: Person) -> None:
    """Press Start Session on the pages of both people, and wait until each page has a picture of the other person."""
    await a.press()
    await b.press()
    for person in (a, b):
        await person.until(f"call.frames.some(([, luma]) => luma > {PICTURE})")


async def decoded(person: Person, frames: int) -> None:
    """Wait until the page of `person` has decoded this number of further video frames."""
    seen = await person.ask("call.frames.length")
    await person.until(f"call.frames.length >= {seen + frames}")


async def press_to_picture(browser: Browser, server: CallServer, runs: int) -> list[dict[str, float]]:
    """Return the figures of `runs` runs, in each of which two people press Start Session, one after the other.

    "early": the number of packets forwarded before the second press. For the first and the second person to press: the
    time in ms from the second press to the first decoded frame, and the brightest luma of that frame.
    """
    rows = []
    for run in range(runs):
        async with pair(browser, server, f"press-{run}") as (a, b):
            forwarded = server.relay.stats.forwarded
            await a.press()
            await asyncio.sleep(
                0.8
                # Two people do not press at the same moment, so wait between the presses. In this time the picture of
                # `a` arrives at the relay, which does not forward it yet.
            )
            early = server.relay.stats.forwarded - forwarded
            early += sum([(await person.stats())["packetsReceived"] for person in (a, b)])
            pressed_ms = await b.press()
            row: dict[str, float] = {"early": early}
            for person, name in ((a, "first"), (b, "second")):
                await person.until("call.frames.length > 3")
                at_ms, brightest = (await person.frames())[0]
                row |= {name: round(at_ms - pressed_ms, 1), f"{name}_luma": brightest}
            rows.append(row)
    return rows


async def reload_gaps(
    server: CallServer, a: Person, b: Person, room: str, times: int
) -> list[tuple[int, int]]:
    """Reload the page of `a` `times` times; return two times in ms for each reload.

    They are the longest time without a new frame on the screen of `b`, and the time until the page of `a` is connected.
    """
    gaps = []
    for _ in range(times):
        seen = len(await b.frames())
        began_s = time.monotonic()
        await load(a, server, room, "&started=1")
        loaded_s = time.monotonic() - began_s
        await a.until(f"call.frames.some(([, luma]) => luma > {PICTURE})")
        await decoded(b, 15)
        moments = [at for at, _ in (await b.frames())[seen - 1 :]]
        longest = max(after - before for before, after in itertools.pairwise(moments))
        gaps.append((round(longest), round(loaded_s * 1000)))
    return gaps


async def frames_under_loss(server: CallServer, b: Person, loss: float, seconds: float) -> tuple[float, int]:
    """Return (frames per second, number of freezes) on the screen of `b` in this number of seconds.

    `loss`: the share of packets that get lost on the whole way, from the sender by the relay to the receiver.
    """
    assert server.link is not None
    # Each packet passes the bad network twice: to the relay, and from the relay.
    server.link.change(lossy(loss / 2))
    before, freezes = await b.ask("call.frames.length"), (await b.stats())["freezes"]
    await asyncio.sleep(seconds)
    frames = await b.ask("call.frames.length") - before
    return round(frames / seconds, 1), (await b.stats())["freezes"] - freezes


async def sound_under_loss(server: CallServer, b: Person, loss: float, packets: int) -> dict[str, float]:
    """Return how much the counters of received sound grow at `b`, until `packets` more packets have arrived.

    `loss`: the share of packets that is lost on the way to the relay, and again on the way from it.
    """
    assert server.link is not None
    server.link.change(lossy(loss))
    before = after = await b.ask("call.received('audio')")
    async with asyncio.timeout(WAIT_S):
        while after["packetsReceived"] < before["packetsReceived"] + packets:
            await asyncio.sleep(0.2)
            after = await b.ask("call.received('audio')")
    counted = ("packetsReceived", "packetsLost", "nackCount", "concealedSamples", "totalSamplesReceived")
    return {name: after[name] - before[name] for name in counted}


async def measure() -> dict[str, Any]:
    """Return all measurements: name -> value."""
    async with chromium_with_camera() as browser:
        async with call_server() as server:
            rows = await press_to_picture(browser, server, 8)
            async with pair(browser, server) as (a, b):
                await talking(a, b)
                await decoded(b, 60)
                gaps = [gap for gap, _ in await reload_gaps(server, a, b, "room", 5)]
        async with call_server() as server:
            await server.behind(Network())
            async with pair(browser, server) as (a, b):
                await talking(a, b)
                await decoded(b, 90)
                under = {loss: await frames_under_loss(server, b, loss, 6) for loss in (0.0, 0.05)}
    return {
        "second_press_to_first_frame_ms": {
            name: statistics.median(row[name] for row in rows) for name in ("first", "second")
        },
        "first_frame_was_real": all(min(row["first_luma"], row["second_luma"]) > PICTURE for row in rows),
        "packets_before_gate": sum(row["early"] for row in rows),
        "reload_gap_ms": {"median": statistics.median(gaps), "all": gaps},
        "frames_per_s_and_freezes_by_loss": under,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
