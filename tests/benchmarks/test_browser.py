"""Tests how figures are read from the report of the tests in browsers."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.browser import PROPERTIES, read


def test_the_output_of_browser_tests_gives_the_worse_screen_and_the_median_gap(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite><testcase name="a"><properties>
        <property name="second_press_to_first_frame_ms" value='{"first": 41.5, "second": 52.0}'/>
        <property name="something_else" value="not json"/></properties></testcase>
        <testcase name="b"><properties><property name="reload_gap_ms" value="[210, 180, 350]"/></properties>
        </testcase></testsuite></testsuites>""",
        "utf-8",
    )
    assert {figure.id: figure.value for figure in read(report)} == {
        "second_press_to_first_frame_ms": 52.0,
        "reload_gap_ms": 210.0,
    }
    assert {figure.target for figure in read(report)} == {60.0, 300.0}
    assert set(PROPERTIES) >= {"second_press_to_first_frame_ms", "reload_gap_ms"}
