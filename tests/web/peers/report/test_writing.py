"""Tests the files of a run: a page that loads no other file, and figures and a table for other programs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.web.pages.test_accessibility import is_accessible
from tests.web.peers.runs import run
from web.peers.errors import ThresholdError
from web.peers.report import compare, write
from web.peers.report.compare_page import comparison_page
from web.peers.run.observations import Observations

LOOKS = [(1280, False), (320, True)]


def test_a_report_has_its_figures_for_people_and_for_programs(tmp_path: Path) -> None:
    seen = run()
    page = write(seen, tmp_path / "deep" / "out", ["pulled_in.p99>1ms", "errors>1%"]).read_text("utf-8")
    assert "397 of 400 visits went through" in page
    assert "1 of 2 thresholds broken" in page
    told = json.loads((tmp_path / "deep/out/report.json").read_text("utf-8"))
    assert told["figures"]["steps"]["claim"]["count"] == 400
    assert [one["broken"] for one in told["thresholds"]] == [True, False]
    with (tmp_path / "deep/out/observations.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["kind"] == "step" and row["name"] == "claim" for row in rows) == 400
    assert [row["value"] for row in rows if row["kind"] == "error"] == ["1.0"] * 3
    assert len(Observations.load(tmp_path / "deep/out/observations.jsonl").steps["claim"]) == 400


def test_the_report_page_fetches_nothing_and_runs_no_script(tmp_path: Path) -> None:
    page = write(run(patients=50), tmp_path).read_text("utf-8")
    assert not re.search(r"<script|<link|<img|url\(|@import|\ssrc=|\shref=\"(?!#)", page)
    assert "default-src 'none'" in page


def test_a_servers_texts_are_escaped_in_the_page(tmp_path: Path) -> None:
    seen = run(patients=20)
    seen.error("<b>4000</b>", "<script>alert(1)</script>")
    seen.about.plan = {"url": "<i>"}
    page = write(seen, tmp_path).read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<i>" not in page
    assert "<b>" not in page


def test_a_servers_text_is_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    seen = Observations()
    seen.error("=HYPERLINK(1)", "")
    write(seen, tmp_path)
    with (tmp_path / "observations.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["'=HYPERLINK(1)"]


def test_a_run_in_which_nothing_happened_is_reported_too(tmp_path: Path) -> None:
    assert "0 of 0 visits went through" in write(Observations(), tmp_path).read_text("utf-8")


def test_a_single_patient_is_reported_too(tmp_path: Path) -> None:
    seen = Observations()
    seen.step("arrive", 0.0)
    seen.step("journey", 0.0)
    assert "1 of 1 visits went through" in write(seen, tmp_path).read_text("utf-8")


def test_a_threshold_that_means_nothing_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(ThresholdError):
        write(run(patients=20), tmp_path / "out", ["nothing>1"])
    assert not (tmp_path / "out").exists()


async def test_both_pages_are_accessible_light_and_dark_wide_and_narrow(
    tmp_path: Path, browser: Browser
) -> None:
    before, after = run(1, patients=60), run(2, patients=60, slower=3)
    report = write(before, tmp_path, ["pulled_in.p99>1ms", "errors>1%"])
    compared = tmp_path / "compare.html"
    compared.write_text(comparison_page(compare(before, after), before, after, ("a", "b")), "utf-8")
    wrong: list[str] = []
    for width, dark in LOOKS:
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page = await context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        for path in (report, compared):
            await page.goto(path.as_uri())
            await is_accessible(page)
        await context.close()
    assert not wrong
