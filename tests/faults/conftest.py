"""Fixtures of the fault tests: the number of rounds, figures with their bounds, and the table of the results.

`make test` runs the quick part. `make faults` sets GREENROOM_FAULTS=all: then every test runs, as often as the
published figures need, and the table is printed and written into `results.md`. `make faults ARGS="-k r30"` renews a
part of the table.
"""

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import QUICK
from tests.faults.table import Figure, Ran, markdown, placed, read, written
from tests.server import STORE_S, RunningServer

if TYPE_CHECKING:
    from tests.faults.machine_with_engine import Base

ALL = os.environ.get("GREENROOM_FAULTS") == "all"
README = Path(__file__).resolve().parents[2] / "README.md"
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores"
QUICK_SLACK = 40.0
"""The bounds of figures are this many times wider in the quick part, because it runs beside other tests on the same
cores, which may be slow. Only `make faults` measures.
"""

Rounds = Callable[[int, int], int]
Measured = Callable[..., None]


@pytest.fixture
def rounds() -> Rounds:
    """A function: `rounds(quick, full)` returns how often a test must try, which is `full` in `make faults` and `quick`
    otherwise.
    """
    return lambda quick, full: full if ALL else quick


@pytest.fixture
def measured(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Measured:
    """A function: `measured(row, what, value, unit, at_most=bound)` records a figure for the table, and asserts its
    bound.

    `row`: "R22" for row 22 of docs/RELIABILITY.md, "S30" for row 30 of docs/SECURITY.md, "F" for a figure that belongs
    to no row. In the quick part, bounds are QUICK_SLACK times wider; a bound of 0 stays 0.
    """

    def record(row: str, what: str, value: float, unit: str = "", *, at_most: float) -> None:
        figure = Figure(row, what, value, unit, at_most, request.node.name)
        record_property("figure", json.dumps(figure._asdict()))
        bound = at_most if ALL else at_most * QUICK_SLACK
        assert value <= bound, f"{row}: {what}: {value:.3g} {unit}, must be at most {bound:.3g} {unit}"

    return record


@pytest.fixture
def machines(valkey_url: str, tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """A function that starts a server as if on a machine of its own: with its own data folder, which has a
    copy of the same data key.

    All these servers use one store. The function's arguments are further sections of the settings.
    """
    started: list[RunningServer] = []

    def start(**sections: dict[str, Any]) -> RunningServer:
        folder = tmp_path / f"machine-{len(started)}"
        data = folder / "data"
        data.mkdir(parents=True)
        if started:
            shutil.copy(started[0].data / "secret.key", data / "secret.key")
        settings: dict[str, dict[str, Any]] = {
            "server": {"port": 0, "workers": 1},
            "redis": {"url": valkey_url, **({"socket_timeout_s": STORE_S} if QUICK else {})},
            "data": {"folder": str(data)},
            **sections,
        }
        started.append(RunningServer(folder, settings, quick=QUICK).wait())
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def base() -> Iterator["Base"]:
    """What machines with an engine of containers are made of; a test that uses it is skipped if this machine can run
    no container.
    """
    from tests.faults.containers import opened_podman
    from tests.faults.machine_with_engine import make_base

    with opened_podman() as podman:
        yield make_base(podman)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of figures; in `make faults` also write it into results.md. pytest calls this hook."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call" and "/faults/" in report.nodeid
    ]
    if not (ALL and reports):
        return
    ran = {
        report.nodeid.split("/faults/")[1]: Ran(
            passed=report.passed,
            seconds=report.duration,
            figures=[
                Figure(**json.loads(str(value))) for name, value in report.user_properties if name == "figure"
            ],
            when=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )
        for report in reports
    }
    terminalreporter.write_line(markdown(ran, MACHINE))
    # A run of only some tests replaces their results in the table, and keeps the results of all other tests.
    results = Path(__file__).with_name("results.json")
    found = {**read(results), **ran}
    results.write_text(written(found), "utf-8")
    results.with_suffix(".md").write_text(markdown(found, MACHINE), "utf-8")
    README.write_text(placed(README.read_text("utf-8"), found), "utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow each test half an hour in `make faults`. pytest calls this hook."""
    if ALL:
        for item in items:
            if "/faults/" in item.nodeid:
                item.add_marker(pytest.mark.timeout(1800))
