"""Tests `greenroom status` with a running server and without one, and what it reports as a problem."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from tests.conftest import StartServer
from tests.web.server.test_processes import until
from web.commands.main import app
from web.commands.status import COLUMNS, Status, Store, line, problems, summary, table
from web.metrics.report import Report

ONE = Report(
    worker="w0-1a2b3c4d", machine="north", pid=7, version="1.2.0", up_s=3700, at_ms=1, sockets=12, rooms=2,
    parties=4, cpu=0.125, lag_ms=0.4, memory_bytes=143_000_000, region="eu", addresses=(("203.0.113.7", 40000),),
    rooms_max=20,
)  # fmt: skip


FULL = "no worker takes another call, by [media] rooms_max"


def status(config: Path, *options: str) -> tuple[int, str]:
    """Run `greenroom status` with this config.toml; return (exit code, output)."""
    done = CliRunner().invoke(app, ["status", "--config", str(config), *options])
    return done.exit_code, done.stdout


def both_listed(config: Path) -> tuple[list[str], dict[str, Any]] | None:
    """Return what `greenroom status` prints, as lines and from JSON, if both list two workers and no problem.

    A worker is not listed until it has reported, nor after it has been busy for seconds.
    """
    (code, said), (json_code, found) = status(config), status(config, "--json")
    lines, parsed = said.splitlines(), json.loads(found)
    if (code, json_code, len(lines), len(parsed["workers"])) != (0, 0, 5, 2):
        return None
    return lines, parsed


def test_it_lists_each_worker_and_the_store_and_says_that_no_server_runs(
    greenroom_server: StartServer,
) -> None:
    server = greenroom_server(workers=2)
    lines, found = until(partial(both_listed, server.config))
    assert {text.split("-")[0] for text in lines[:2]} == {"worker=w0", "worker=w1"}
    assert lines[2].startswith("store: valkey ")
    assert lines[3] == "visits: 0 open, organisations: 1"
    assert lines[4] == "deliveries: 0 due, 0 of them late, 0 given up"
    assert found["problems"] == []
    assert {worker["pid"] for worker in found["workers"]} == set(server.pids)
    server.stop()
    code, said = status(server.config)
    assert (code, "no Greenroom runs on" in said) == (1, True)
    assert status(server.config, "--json")[0] == 1


def test_a_store_that_does_not_answer_is_a_problem_and_its_password_is_not_shown(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[redis]\nurl = "redis://:s3cret@127.0.0.1:1"\n')
    code, said = status(config)
    assert (code, "the store does not answer" in said) == (1, True)
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ([ONE, replace(ONE, worker="w1-1")], []),
        ([ONE, replace(ONE, draining=True)], []),
        ([], ["no worker reports to this store"]),
        ([replace(ONE, draining=True)], ["all workers stop"]),
        ([replace(ONE, rooms=19), replace(ONE, rooms=21)], [f"{FULL}: claims are refused"]),
        ([replace(ONE, rooms=20), replace(ONE, rooms_max=0)], []),
        ([ONE, replace(ONE, version="1.3.0")], ["workers of several versions serve: 1.2.0, 1.3.0"]),
    ],
)
def test_no_worker_no_serving_worker_no_free_place_and_several_versions_are_problems(
    workers: list[Report], said: list[str]
) -> None:
    assert problems(workers) == said


def test_a_line_names_each_value() -> None:
    assert line(ONE) == (
        "worker=w0-1a2b3c4d machine=north region=eu address=203.0.113.7:40000 version=1.2.0 up=1:01:40 sockets=12 "
        "rooms=2/20 parties=4 cpu=12% lag=0.4ms memory=143MB state=serves"
    )
    assert len(COLUMNS) == len(line(ONE).split())


def test_the_summary_says_how_many_calls_are_taken_if_there_is_a_bound() -> None:
    store = Store(version="valkey 9.1.0", round_trip_ms=0.2, memory_bytes=1, clients=2)
    found = Status(store=store, workers=[ONE, ONE], organisations=1, open_visits=5, problems=[])
    assert "calls: 4 of at most 40" in summary(found)
    assert not [
        said for said in summary(replace(found, workers=[replace(ONE, rooms_max=0)])) if "calls" in said
    ]


def test_a_terminal_gets_a_table() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table([ONE]))
    head, row, *rest = console.export_text().splitlines()
    assert head.split() == [name for name in COLUMNS if name]
    assert row.split()[:4] == ["w0-1a2b3c4d", "north", "eu", "203.0.113.7:40000"]
    assert rest == []


def test_live_prints_again_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[data]\nfolder = "new"\n')
    waits = iter([None, KeyboardInterrupt()])

    def sleep(seconds: float) -> None:
        if (end := next(waits)) is not None:
            raise end

    monkeypatch.setattr("web.commands.status.sleep", sleep)
    assert status(config, "--json", "--live")[1].count("no Greenroom runs on") == 2
    assert not (tmp_path / "new").exists(), "it changes nothing"
