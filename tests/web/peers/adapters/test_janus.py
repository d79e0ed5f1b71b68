"""Tests that the load tester plays people on Janus: its adapter for Janus against the real Janus, if it is
installed.
"""

import shutil

import pytest

from tests.benchmarks.others import janus
from tests.benchmarks.others.setup import MissingServerError
from tests.web.peers.adapters.playing import all_are_called


@pytest.mark.skipif(not shutil.which("janus"), reason="Janus is not installed")
async def test_providers_call_several_patients_in_turn_on_a_real_janus() -> None:
    try:
        running = janus.running("janus", "websockets")
        with running as (_, url):
            await all_are_called(url, "janus")
    except MissingServerError as problem:
        pytest.skip(str(problem))
