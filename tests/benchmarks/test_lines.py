"""Tests that a run without a terminal prints what it is doing."""

from __future__ import annotations

import re
import threading

from tests.benchmarks.lines import EVERY_S, Lines
from tests.limits import WAIT_S


def test_each_part_of_a_run_is_named_when_it_begins_and_ends_and_meanwhile() -> None:
    said: list[str] = []
    half = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if "50%" in line:
            half.set()

    lines = Lines(say, every_s=0.01)
    with lines.during("Claim race"):
        lines.part = 0.5
        assert half.wait(WAIT_S)
    assert said[0] == "Claim race: begins"
    assert any(re.fullmatch(r"Claim race: 50% after \d+ s", line) for line in said)
    assert re.fullmatch(r"Claim race: over after \d+ s", said[-1])
    assert EVERY_S == 10
