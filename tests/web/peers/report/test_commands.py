"""Tests `greenroom peers compare` and `report`: their output, exit codes, and errors for invalid input."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.web.peers.runs import run
from web.peers.report import write
from web.peers.report.commands import attach

RUNNER = CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    """A command line that has only the commands `compare` and `report`."""
    made = typer.Typer()
    attach(made)
    return made


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    """The paths of two reports; the claims of the second run are slower."""
    write(run(1, patients=100), tmp_path / "before")
    write(run(2, patients=100, slower=2), tmp_path / "after")
    return str(tmp_path / "before"), str(tmp_path / "after")


def test_two_runs_are_compared_in_text_and_as_a_page(
    app: typer.Typer, runs: tuple[str, str], tmp_path: Path
) -> None:
    done = RUNNER.invoke(app, ["compare", *runs, "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("before → after: ")
    assert "Claim p50" in done.stdout
    assert "</html>" in (tmp_path / "page.html").read_text("utf-8")


def test_a_run_that_got_worse_fails_where_that_is_asked_for(app: typer.Typer, runs: tuple[str, str]) -> None:
    done = RUNNER.invoke(app, ["compare", *runs, "--fail-on-worse"])
    assert done.exit_code == 1
    assert "figures got worse" in done.stderr
    assert RUNNER.invoke(app, ["compare", runs[0], runs[0], "--fail-on-worse"]).exit_code == 0


def test_reports_of_several_machines_become_one(
    app: typer.Typer, runs: tuple[str, str], tmp_path: Path
) -> None:
    into = tmp_path / "all"
    done = RUNNER.invoke(app, ["report", *runs, "--into", str(into), "--fail-if", "throughput<0.1/s"])
    assert done.exit_code == 0, done.output
    assert "194 of 200 visits went through" in (into / "report.html").read_text("utf-8")


def test_a_broken_threshold_is_printed_in_one_line_and_exits_1(
    app: typer.Typer, runs: tuple[str, str], tmp_path: Path
) -> None:
    thresholds = ["--fail-if", "errors>0", "--fail-if", "pulled_in.p99>1ms", "--fail-if", "errors>50%"]
    done = RUNNER.invoke(app, ["report", runs[0], "--into", str(tmp_path / "out"), *thresholds])
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("greenroom peers: broken: errors>0: it was 3; pulled_in.p99>1ms: it was ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "{tmp}/none", "{tmp}/before"], "none: No such file"),
        (["compare", "{tmp}/before", "{tmp}/before/report.json"], "expected observations"),
        (["compare", "{tmp}/before", "{tmp}/before", "--html", "{tmp}/no/page.html"], "No such file"),
        (["report", "{tmp}/before/report.html"], "expected observations"),
        (
            ["report", "{tmp}/before", "--into", "{tmp}/o", "--fail-if", "puled_in.p99>1ms"],
            "there is no 'puled_in'",
        ),
        (["report", "{tmp}/before", "--into", "{tmp}/before/report.html"], "exists"),
    ],
)
def test_an_argument_that_cannot_be_used_is_reported_in_one_sentence_with_exit_2(
    app: typer.Typer, runs: tuple[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = RUNNER.invoke(app, [argument.replace("{tmp}", str(tmp_path)) for argument in arguments])
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert says in line
