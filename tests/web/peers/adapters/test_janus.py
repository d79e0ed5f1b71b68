"""Tests the adapter of Janus against the real Janus, if it is installed."""

import shutil

import pytest

from tests.benchmarks.others import janus
from tests.benchmarks.others.setup import MissingServerError
from web.peers.run.arrivals import Arrivals, Span
from web.peers.run.calls import CallDriver
from web.peers.run.observations import Observations
from web.peers.run.plan import Plan


@pytest.mark.skipif(not shutil.which("janus"), reason="Janus is not installed")
async def test_providers_call_several_patients_in_turn_on_a_real_janus() -> None:
    try:
        running = janus.running("janus", "websockets")
        with running as (_, url):
            plan = Plan(
                url=url,
                adapter="janus",
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
    except MissingServerError as problem:
        pytest.skip(str(problem))
    assert not seen.errors, seen.examples
    steps = {name: len(series) for name, series in seen.steps.items()}
    once = dict.fromkeys("arrive waited pulled_in claim hang_up journey".split(), 3)
    assert steps == once | {"first_frame": 6, "longest_gap": 6}
