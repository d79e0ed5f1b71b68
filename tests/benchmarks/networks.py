"""Measures calls on bad networks, over our relay and, in the same run, directly between the browsers.

Both kinds of call go through one proxy. This module defines the networks, how long each is measured, and the goals.
A call of each kind gets the networks of a series one after another; each figure is that of the page with the worse
result. The patient's connection is the bad one, in both directions.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from playwright.async_api import Browser, Error, async_playwright

from tests.benchmarks.calls import Call, direct, reason, relayed
from tests.benchmarks.figures import CallFigure, Calls, Goal, Made, Skipped
from tests.browsers import ARGUMENTS, find_chromium
from web.errors import ConfigError
from web.peers.network.network import Network, Way, lossy

Look = tuple[float, int, int]
Begin = Callable[[Browser, Network], AbstractAsyncContextManager[Call]]
Found = dict[str, float | None]
"""figure -> the value. None means that the picture never came back."""
Seen = dict[tuple[str, str], float | None]
"""(name of the network, name of the figure) -> its value, None if it was not measured."""

LIMIT_S = 14 * 60.0
FPS, LINES = 15, 480
LOOKS = 40  # more than the number of samples of the screen in a second
FLOWS_S = 3.0
RESTORED_S, BACK_S, SETTLED_S = 45.0, 20.0, 30.0
CAMERA_FPS = 20
CAMERA = "--use-fake-device-for-media-stream"
SWITCHES = [
    *(f"{CAMERA}=fps={CAMERA_FPS}" if switch.startswith(CAMERA) else switch for switch in ARGUMENTS),
    "--autoplay-policy=no-user-gesture-required",
    # This switch replaces the switch of the same name in ARGUMENTS: Chromium uses only the last of both.
    # Without this switch, Chromium writes names instead of addresses into candidates, which the proxy cannot resolve.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]

RATE, FREEZES, CONCEALED = "pictures a second", "freezes", "sound concealed"
HEIGHT, RESTORED, BACK = "lines of the picture", "640x480 at 15 a second again after", "picture back after"
AGAIN = "Start Session, pressed again, to the picture"
GAP = "longest time without a new picture"
STARTED, FREE = "second Start Session to the picture", "none"
UNITS = {RATE: "/s", CONCEALED: "%", RESTORED: "s", BACK: "s", STARTED: "s", GAP: "s", AGAIN: "s"}
SAME = Goal("same")


def most(value: float) -> Goal:
    """Return the goal of a figure that must be at most `value`."""
    return Goal("most", value)


def both(way: Way) -> Network:
    """Return a network that is the same in both directions. `way`: its delay, loss and rate."""
    return Network(up=way, down=way)


@dataclass(frozen=True)
class Trial:
    """A network that a call gets for `before_s` + `seconds`.

    The call is measured only after `before_s`, when the browsers have adapted to the network. `restored`:
    True to measure also how long the picture needs afterwards until it is whole again.
    """

    name: str
    network: Network
    seconds: float
    before_s: float = 0.0
    restored: bool = False


TRIALS = (
    Trial(FREE, Network(), 10),
    Trial("100 ms each way, jitter 30 ms", both(Way(delay_ms=100, jitter_ms=30)), 10),
    Trial("5 % loss", lossy(0.05), 20),
    Trial("20 % loss", lossy(0.2), 20, before_s=20, restored=True),
    Trial("300 kbit/s", both(Way(rate_kbit=300)), 15),
)
OUTAGES_S, LINK_DOWN_S = (2, 5, 10), (5, 25, 90)
BLOCKED, REBOUND = "UDP blocked from the start", "new address (NAT rebinding), Chromium"


def blocked(seconds: float) -> str:
    """Return the name in the table for an outage in which UDP is blocked for `seconds`."""
    return f"UDP blocked for {seconds:g} s"


def down(seconds: float) -> str:
    """Return the name in the table for an outage in which the link is down for `seconds`."""
    return f"link down for {seconds:g} s"


GOALS: Mapping[tuple[str, str], Goal] = {
    (FREE, RATE): SAME,
    ("100 ms each way, jitter 30 ms", RATE): SAME,
    ("5 % loss", FREEZES): most(0),
    ("5 % loss", CONCEALED): most(0.5),
    ("20 % loss", RATE): Goal("least", FPS),
    ("20 % loss", FREEZES): most(1),
    ("20 % loss", CONCEALED): most(2),
    ("20 % loss", RESTORED): most(5),
    ("300 kbit/s", RATE): SAME,
    ("300 kbit/s", HEIGHT): SAME,
    (blocked(2), BACK): most(0.3),
    (blocked(5), BACK): most(0.5),
    (blocked(10), BACK): most(1.0),
    (REBOUND, GAP): most(0.5),
    (down(5), BACK): most(2),
    (down(25), BACK): most(2),
    (down(90), AGAIN): most(2),
    (BLOCKED, STARTED): most(3),
}

# --- figures from the samples of a screen


def back_after_s(looks: Sequence[Look], end_ms: float) -> float | None:
    """Return the time in s from `end_ms` until one of the page's samples `looks` has a new picture; None if no
    sample has a new picture.
    """
    before = max((frames for at, frames, _ in looks if at <= end_ms), default=0)
    found = next(
        (at for at, frames, _ in looks if at > end_ms and (frames > before or frames < before)), None
    )
    return None if found is None else (found - end_ms) / 1000


def restored_after_s(looks: Sequence[Look], end_ms: float) -> float | None:
    """Return the time in s from `end_ms` until the beginning of the first second in which FPS pictures of LINES lines
    arrived; None if there was no such second.
    """
    later = [look for look in looks if look[0] >= end_ms]
    for place, (begin_ms, frames, lines) in enumerate(later):
        within = [look for look in later[place : place + LOOKS] if look[0] <= begin_ms + 1000]
        whole = later[-1][0] >= begin_ms + 1000
        if whole and lines >= LINES and within[-1][1] - frames >= FPS:
            return (begin_ms - end_ms) / 1000
    return None


def gap_s(looks: Sequence[Look], since_ms: float) -> float | None:
    """Return the longest time in s between two new pictures after `since_ms`.

    Return None while the result is not certain: within FLOWS_S after `since_ms`, or if the last 0.5 s brought no new
    picture.
    """
    fresh = [
        at for (at, frames, _), (_, before, _) in zip(looks[1:], looks, strict=False) if frames != before
    ]
    if not fresh or looks[-1][0] < since_ms + FLOWS_S * 1000 or looks[-1][0] - fresh[-1] > 500:
        return None
    return max((after - before for before, after in itertools.pairwise(fresh)), default=0) / 1000


def worse(values: Sequence[float | None]) -> float | None:
    """Return the longest of these times. None means that a picture never came, and counts as the longest time."""
    return None if None in values else max(value for value in values if value is not None)


def figures(before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the figures of the page with the worse result.

    `before` and `after`: the counters of both pages at two times.
    """
    pairs = list(zip(before, after, strict=True))
    return {
        RATE: min((b["frames"] - a["frames"]) / ((b["at_ms"] - a["at_ms"]) / 1000) for a, b in pairs),
        FREEZES: max(b["freezes"] - a["freezes"] for a, b in pairs),
        CONCEALED: max(
            100 * (b["concealed"] - a["concealed"]) / max(1, b["samples"] - a["samples"]) for a, b in pairs
        ),
        HEIGHT: min(b["lines"] for _, b in pairs),
    }


# --- changing the networks of a call


async def until_found(
    call: Call, judge: Callable[[Sequence[Look], float], float | None], end_ms: float, most_s: float
) -> float | None:
    """Return how long the slower page of a call needed, in s, as `judge` measures it; None if it took more than
    `most_s`.

    `judge` gets the samples of one page and `end_ms`, the Unix time from which it measures. It returns a time in s, or
    None as long as it finds none; then it is called again with newer samples.
    """
    while True:
        found = worse([judge(looks, end_ms) for looks in await call.looks(end_ms - 1000)])
        if found is not None or time.time() * 1000 > end_ms + most_s * 1000:
            return found
        await asyncio.sleep(0.25)


async def _settled(call: Call) -> None:
    """Wait until the picture of a call is whole again, for SETTLED_S at most."""
    await until_found(call, restored_after_s, time.time() * 1000, SETTLED_S)


async def _lossy(trial: Trial, call: Call) -> Found:
    await _settled(call)
    call.media.change(trial.network)
    await asyncio.sleep(trial.before_s)
    before = await call.counts()
    await asyncio.sleep(trial.seconds)
    after = await call.counts()
    call.media.change(Network())
    found: Found = dict(figures(before, after))
    if trial.restored:
        found[RESTORED] = await until_found(call, restored_after_s, time.time() * 1000, RESTORED_S)
    return found


async def _out(network: Network, seconds: float, page: bool, call: Call) -> Found:
    """Put the media of `call`, and if `page` also the page's own connection, on this network for `seconds`. Return the
    time in s until the picture was back. If `page` and the picture is not back in time, press Start Session again.
    """
    await _settled(call)
    proxies = [call.media, call.signalling] if page and call.signalling else [call.media]
    for proxy in proxies:
        proxy.change(network)
    await asyncio.sleep(seconds)
    end_ms = time.time() * 1000
    for proxy in proxies:
        proxy.change(Network())
    found: Found = {BACK: await until_found(call, back_after_s, end_ms, BACK_S)}
    if page and found[BACK] is None:
        # The server has closed the call, and the page shows Start Session to the patient again.
        pressed_ms = time.time() * 1000
        await call.patient.get_by_role("button", name="Start Session").click(timeout=BACK_S * 1000)
        found[AGAIN] = await until_found(call, back_after_s, pressed_ms, BACK_S)
    return found


async def _rebound(call: Call) -> Found:
    await _settled(call)
    call.media.rebind()
    return {GAP: await until_found(call, gap_s, time.time() * 1000, BACK_S)}


async def _started(call: Call) -> Found:
    return {STARTED: await until_found(call, back_after_s, call.began_s * 1000, BACK_S)}


GOOD, UDP_OUT, NOTHING = Network(), Network(udp=False), Network(udp=False, tcp=False)


@dataclass(frozen=True)
class Series:
    """The networks that one call gets one after another: the name of each in the table, and the function that measures
    it. `network`: the network with which the call begins. `compared`: True if a direct call gets them too.
    """

    rows: Mapping[str, Callable[[Call], Awaitable[Found]]]
    network: Network = GOOD
    compared: bool = True


SERIES = (
    Series({trial.name: partial(_lossy, trial) for trial in TRIALS}),
    # Outages are measured in a separate call. After a slow network, a browser has long buffers for half a
    # minute or more. With these buffers, the picture came back 0.25 to 0.38 s after an outage, of which the outage
    # itself causes 0.1 s.
    Series(
        {blocked(seconds): partial(_out, UDP_OUT, seconds, False) for seconds in OUTAGES_S}
        | {REBOUND: _rebound}
    ),
    Series({BLOCKED: _started}, network=UDP_OUT),
    Series({down(seconds): partial(_out, NOTHING, seconds, True) for seconds in LINK_DOWN_S}, compared=False),
)
QUICK = (
    Series({"5 % loss": partial(_lossy, Trial("5 % loss", lossy(0.05), 5))}),
    Series({blocked(2): partial(_out, UDP_OUT, 2, False)}),
)


def chosen(series: Sequence[Series], names: Sequence[str]) -> list[Series]:
    """Return the series with only those networks whose name contains one of `names`; all of them without `names`.

    Raises ConfigError if there is no such network.
    """
    found = []
    for one in series:
        rows = {name: row for name, row in one.rows.items() if any(part in name for part in names or [""])}
        if rows:
            found.append(replace(one, rows=rows))
    if not found:
        known = "; ".join(name for one in series for name in one.rows)
        raise ConfigError(f"bench: --network is in no name of these: {known}")
    return found


class Watch:
    """Puts the calls on the networks one after another, and keeps the results, so that an interrupted run does not lose
    them.
    """

    def __init__(
        self, browser: Browser, series: Sequence[Series], compared: bool, tell: Callable[[float], None]
    ) -> None:
        self.relayed: Seen = {}
        self.direct: Seen = {}
        self._browser, self._tell = browser, tell
        kinds: list[tuple[Begin, Seen]] = [(relayed, self.relayed), (direct, self.direct)]
        self._parts = [
            (one, *kind) for one in series for kind in (kinds if compared and one.compared else kinds[:1])
        ]
        self._steps = 0

    async def all(self) -> list[str]:
        """Measure all networks, one after another; return the texts of errors. Raises TimeoutError after LIMIT_S."""
        problems = []
        async with asyncio.timeout(LIMIT_S):
            for part in self._parts:
                try:
                    await self._measure(*part)
                except (Error, AssertionError, TimeoutError) as problem:
                    problems.append(reason(problem))
        return problems

    async def _measure(self, series: Series, begin: Begin, seen: Seen) -> None:
        total = sum(len(series.rows) for series, *_ in self._parts)
        async with begin(self._browser, series.network) as call:
            for name, measure in series.rows.items():
                found = await measure(call)
                seen.update({(name, figure): value for figure, value in found.items()})
                self._steps += 1
                self._tell(self._steps / total)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    """Yield the Chromium at `path`, with a fake camera of CAMERA_FPS pictures a second."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=SWITCHES)
        try:
            yield browser
        finally:
            with suppress(Error):
                await browser.close()


def table(ours: Seen, others: Seen) -> list[CallFigure]:
    """Return the rows of the table, each with a result over the relay (`ours`) and in a direct call (`others`)."""
    return [
        CallFigure(
            network=network,
            figure=figure,
            unit=UNITS.get(figure, ""),
            ours=value,
            direct=others.get((network, figure)),
            compared=(network, figure) in others,
            goal=GOALS.get((network, figure)),
        )
        for (network, figure), value in ours.items()
    ]


def measure(quick: bool, names: Sequence[str], compared: bool, tell: Callable[[float], None]) -> Made:
    """Measure networks one after another until LIMIT_S has passed; return a table of the measured networks.

    `quick`: measure only two of them. `names`: measure only networks whose name contains one of these; all networks
    if there are no `names`. `compared`: measure direct calls too. Raises ConfigError if there is no such network.
    `tell`: called with the progress (0.0 to 1.0).
    """
    series = chosen(QUICK if quick else SERIES, names)
    return asyncio.run(_measure(series, compared, tell))


async def _measure(series: Sequence[Series], compared: bool, tell: Callable[[float], None]) -> Made:
    path = find_chromium()
    if path is None:
        return Made(skipped=[Skipped("Calls on bad networks", "there is no Chromium")])
    before, made = os.getloadavg()[0], Made()
    async with chromium(path) as browser:
        watch = Watch(browser, series, compared, tell)
        try:
            problems = await watch.all()
        except TimeoutError:
            problems = [f"they took longer than {LIMIT_S:.0f} s"]
        made.skipped += [Skipped("Some calls on bad networks", problem) for problem in problems]
        made.calls = Calls(
            started=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            browser=f"Chromium {browser.version}",
            load=(before, os.getloadavg()[0]),
            figures=table(watch.relayed, watch.direct),
        )
    return made
