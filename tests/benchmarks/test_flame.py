"""Tests the flame graph of a worker: samples become boxes, and boxes a picture without a script."""

from __future__ import annotations

import os
import time
import xml.etree.ElementTree as ElementTree

from tests.benchmarks.flame import LEAST_SHARE, Profile, boxes, picture, samples

RAW = """\
main (app.py:1);GunicornWebWorker.run (aiohttp/worker.py:80);page (web/pages/rendering.py:7) 60
main (app.py:1);GunicornWebWorker.run (aiohttp/worker.py:80);page (web/pages/rendering.py:9) 20
main (app.py:1);GunicornWebWorker.run (aiohttp/worker.py:80);page (web/pages/rendering.py:9);<a> (jinja2/x.py:1) 19
main (app.py:1);GunicornWebWorker.run (aiohttp/worker.py:80);send (signalling/hub.py:3) 1
"""
LOOP, PAGE = "GunicornWebWorker.run (aiohttp/worker.py)", "page (web/pages/rendering.py)"


def test_samples_begin_at_the_event_loop_and_join_the_lines_of_a_function() -> None:
    found = samples(RAW)
    assert found[LOOP, PAGE] == 80
    assert sum(found.values()) == 100


def test_a_box_is_as_wide_as_its_share_of_the_samples_above_its_caller() -> None:
    drawn = {box.name: box for box in boxes(samples(RAW))}
    assert drawn[LOOP][1:] == (0, 0.0, 1.0)
    assert drawn[PAGE][1:] == (1, 0.0, 0.99)
    assert drawn["<a> (jinja2/x.py)"][1:] == (2, 0.0, 0.19)
    narrow: dict[tuple[str, ...], int] = {("a",): 1, ("b",): int(1 / LEAST_SHARE) + 1}
    assert [box.name for box in boxes(narrow)] == ["b"]


def test_the_picture_has_a_box_with_a_tooltip_for_each_function() -> None:
    drawn = ElementTree.fromstring(picture(samples(RAW), "Where <time> goes"))
    name = "{http://www.w3.org/2000/svg}"
    told = [group.findtext(f"{name}title") for group in drawn.findall(f"{name}g")]
    assert f"{PAGE}: 99.0 %" in told
    assert "<a> (jinja2/x.py): 19.0 %" in told
    assert drawn.findtext(f"{name}title") == "Where <time> goes"


def test_a_process_that_cannot_be_sampled_has_a_reason_instead_of_samples() -> None:
    with Profile(os.getpid()) as profile:
        until_s = time.monotonic() + 1.0
        while time.monotonic() < until_s and not profile.problem:
            sum(range(10_000))
    assert bool(profile.raw) is not bool(profile.problem)
