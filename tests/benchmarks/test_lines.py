"""Tests that a run without a terminal prints what it is doing."""

from __future__ import annotations

import re
import threading

from tests.benchmarks.lines import EVERY_S, Lines


def test_each_part_of_a_run_is_named_when_it_begins_and_ends_and_meanwhile() -> None:
    said: list[str] = []
    twice = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            twice.set()

    lines = Lines(say, every_s=0.01)
    with lines.during("Claim race"):
        lines.part = 0.5
        assert twice.wait(10)
    assert said[0] == "Claim race: begins"
    assert re.fullmatch(r"Claim race: 50% after \d+ s", said[1])
    assert re.fullmatch(r"Claim race: over after \d+ s", said[-1])
    assert EVERY_S == 10
