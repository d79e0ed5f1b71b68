"""Plays a small run of the load tester through an adapter, and judges what was measured.

An adapter is the part of the load tester that plays the same people on another video server.
"""

from __future__ import annotations

from web.peers.run.arrivals import Arrivals, Span
from web.peers.run.calls import CallDriver
from web.peers.run.observations import Observations
from web.peers.run.plan import Plan


async def all_are_called(url: str, adapter: str) -> None:
    """Let two providers call three patients, one after another; fail unless every call was measured.

    `url`: the address of the server. `adapter`: the name of the adapter that plays the calls. The media are
    of the kind "light", which sends packets without a real picture or sound.
    """
    plan = Plan(
        url=url,
        adapter=adapter,
        patients=3,
        providers=2,
        arrivals=Arrivals.parse("at-once"),
        talk=Span.parse("50ms"),
        media="light",
    )
    driver, seen = CallDriver(plan.share(0, 1)), Observations()
    try:
        await driver.open()
        await driver.play(seen)
    finally:
        await driver.close()
    assert not seen.errors, seen.examples
    steps = {name: len(series) for name, series in seen.steps.items()}
    once = dict.fromkeys("arrive waited pulled_in claim hang_up journey".split(), 3)
    assert steps == once | {"first_frame": 6, "longest_gap": 6}
