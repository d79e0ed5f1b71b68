"""Runs the tests that make a call in Chromium, and reads the figures in their report.

Only a browser can measure these figures.

A test reports a figure by `record_property`, and the report contains its value as Python writes it. If the
value is a list or map of numbers, the figure is their median or the worst of them.
"""

import ast
import os
import re
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, Skipped

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
LIMIT_S = 180.0
PROPERTIES: dict[str, tuple[str, str, float | None]] = {
    "second_press_to_first_frame_ms": (
        "second Start Session to the first picture, slower screen",
        "ms",
        60.0,
    ),
    "reload_gap_ms": ("gap on the other screen while one side reloads", "ms", 300.0),
    "requests_opened_ms": (
        "On-Demand Requests with 500 waiting, navigation to the last row painted",
        "ms",
        500.0,
    ),
    "requests_search_to_paint_ms": ("search, filter or order of these, input to paint", "ms", 50.0),
    "requests_nodes_replaced": ("elements replaced while 50 of these rows change a second", "", 0),
    "requests_longest_task_ms": ("longest task of the page meanwhile", "ms", 100.0),
    "requests_frames_per_s": ("frames a second meanwhile", "/s", None),
    "frames_per_s_at_5_percent_loss": ("pictures a second with 5 % of packets lost", "/s", None),
}
"""Recorded property -> (name, unit, target) of its figure; the target is None if there is none."""

SKIPPED = "browser figures"
TEST = re.compile(
    r"^(?:async )?def (test_\w+)\(.*?(?=^\S|\Z)(?:\) -> None:.*?(?=^\S|\Z))?", re.MULTILINE | re.DOTALL
)
"""Matches a test function in a source file, with its body."""


def measure() -> list[Figure] | Skipped:
    """Run the tests that measure in a browser; return their figures.

    Return a `Skipped` with the reason if there are no tests or no Chromium, or if a test fails.
    """
    if not TESTS.is_dir():
        return Skipped(SKIPPED, "the tests are not installed; run it in a checkout")
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        report = Path(folder) / "report.xml"
        try:
            played = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *_tests()],
                cwd=ROOT,
                env={key: value for key, value in os.environ.items() if key != "GREENROOM_NO_SKIP"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Skipped(SKIPPED, f"the tests took longer than {LIMIT_S:.0f} s")
        figures = read(report) if report.exists() else []
        if not figures:
            return Skipped(
                SKIPPED, f"no test said one (pytest ended with {played.returncode}; is there a Chromium?)"
            )
    return figures


def _tests() -> list[str]:
    """Return the ids of the tests that report a figure of the table PROPERTIES."""
    return [
        f"{file}::{test.group(1)}"
        for file in sorted(TESTS.rglob("test_*.py"))
        for test in TEST.finditer(file.read_text("utf-8"))
        if any(f'"{name}"' in test.group() for name in PROPERTIES)
    ]


def read(report: Path) -> list[Figure]:
    """Return the figures in `report`, a JUnit file that the tests in browsers have written."""
    said = {
        element.attrib["name"]: ast.literal_eval(element.attrib["value"])
        for element in ElementTree.parse(report).iter("property")
        if element.attrib["name"] in PROPERTIES
    }
    return [
        Figure(name, PROPERTIES[name][0], _one(value), PROPERTIES[name][1], PROPERTIES[name][2])
        for name, value in said.items()
    ]


def _one(value: Any) -> float:
    if isinstance(value, dict):
        return max(map(_one, value.values()))
    return float(statistics.median(value)) if isinstance(value, list) else float(value)
