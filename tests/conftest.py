"""Fixtures and hooks of all tests: a real Valkey, the real server, a real Chromium, and a list of skipped tests.

If GREENROOM_NO_SKIP is set, as in CI, a test that would be skipped fails instead.
"""

import asyncio
import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
import redis.asyncio
import structlog
from playwright.async_api import Browser, expect

from signalling.store.redis_connection import SharedRedis
from tests.browsers import SHOWN_MS, Shared, find_chromium, shared
from tests.limits import WAIT_S
from tests.server import STORE_S, RunningServer
from tests.stored import faults
from web.server.valkey import EmbeddedStore, LockedFolder

NO_BROWSER = "no Chromium here: install chromium, or name one with GREENROOM_CHROMIUM"
NO_SKIP = "GREENROOM_NO_SKIP"
PRODUCT = ("media.", "signalling.", "web.")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background shell ignores SIGINT, and its child processes also ignore it. Without this line, a command under test
    # would not receive its Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Keep compiled files. Otherwise, each server and command that a test starts would compile all our files again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

MEMORY = "/dev/shm"
LEAST_MEMORY = 2 << 30  # the number of bytes of free memory that are needed to keep files in memory


def use_memory_for_files() -> None:
    """Put the temporary folders of this process and its children into memory (/dev/shm), if it has enough space.

    Stores write each command to their disk before they answer, which takes seconds if the disk is busy. `make faults`
    publishes times, and therefore uses the disk.
    """
    if os.environ.get("GREENROOM_FAULTS") == "all" or not os.access(MEMORY, os.W_OK):
        return
    if os.statvfs(MEMORY).f_flag & os.ST_NOEXEC or shutil.disk_usage(MEMORY).free < LEAST_MEMORY:
        return  # some tests run programs that they have written, which a folder with "noexec" does not allow
    os.environ["TMPDIR"] = tempfile.tempdir = MEMORY


use_memory_for_files()

# A busy machine may take long for an example, or to make the first ones.
hypothesis.settings.register_profile(
    "greenroom", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("greenroom")

expect.set_options(timeout=SHOWN_MS)
# If an assert in one of these helper modules fails, pytest shows the compared values, as it does for an assert in a
# test.
pytest.register_assert_rewrite(
    *(f"tests.{name}" for name in ("faults", "journeys", "media", "signalling", "web"))
)

QUICK = os.environ.get("GREENROOM_FAULTS") != "all"
RUN_BY = {"long": "`make test-long`", "minutes": "`make faults`"}
"""For each mark of tests that `make test` leaves out: what runs them."""
LEFT_OUT = pytest.StashKey[dict[str, int]]()
StartServer = Callable[..., RunningServer]


@contextmanager
def kept_log() -> Iterator[None]:
    """Restore the settings of this process's log at the end. Commands such as `doctor` change them."""
    kept, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Restores the settings of this process's log after each test."""
    with kept_log():
        yield


@pytest.fixture(scope="session")
def embedded_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """One embedded Valkey for the whole run."""
    folder = LockedFolder(tmp_path_factory.mktemp("store"))
    store = EmbeddedStore(folder)
    store.start()
    yield store
    store.stop()
    folder.close()


@pytest.fixture
def valkey_url(embedded_store: EmbeddedStore) -> Iterator[str]:
    """The URL of a real, empty Valkey.

    After the test, its keys must match the table in `signalling/store/keys.py`.
    """
    with redis.Redis.from_url(embedded_store.url, socket_timeout=WAIT_S) as client:
        client.flushall()
        yield embedded_store.url
        assert faults(client) == [], "signalling/store/keys.py says otherwise"


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator["redis.asyncio.Redis"]:
    """A client of a real, empty Valkey, whose answers are bytes."""
    client = SharedRedis.from_url(valkey_url, socket_timeout=WAIT_S)
    yield client
    await client.aclose()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """A function that starts a server: `start_server({"server": {...}}, command=..., options=...)`.

    All servers are stopped after the test. They share a folder, so that a second server finds the data of the first.
    They start fast, as forks of a process that has loaded all modules (tests/prepared.py). With
    `quick=False`, and in `make faults`, which publishes times, they start as in production. Except in `make faults`,
    they wait for their store for STORE_S, because it may wait for a CPU.
    """
    servers: list[RunningServer] = []

    def start(settings: dict[str, dict[str, Any]] | None = None, **how: Any) -> RunningServer:
        merged = {name: dict(values) for name, values in (settings or {}).items()}
        merged["server"] = {"port": 0, **merged.get("server", {})}
        if QUICK:
            merged["redis"] = {"socket_timeout_s": STORE_S, **merged.get("redis", {})}
        servers.append(RunningServer(tmp_path, merged, **{"quick": QUICK, **how}))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def greenroom_server(start_server: StartServer) -> StartServer:
    """A function that starts the real server and returns when it answers: `greenroom_server(workers=2,
    limits={"hello_s": 1})`.

    Each keyword is a section of the settings; `workers` is short for `server={"workers": …}`. The function
    returns a `RunningServer`.
    """

    def start(workers: int = 1, **sections: dict[str, Any]) -> RunningServer:
        server = {"workers": workers, **sections.pop("server", {})}
        return start_server({"server": server, **sections}).wait()

    return start


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; a test that uses it is skipped if there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip(NO_BROWSER)
    return path


@pytest.fixture(scope="session")
async def shared_chromium(chromium: str) -> AsyncIterator[Shared]:
    """The Chromium of this process, with a fake camera and microphone."""
    async with shared(chromium) as kept:
        yield kept


@pytest.fixture
async def browser(shared_chromium: Shared, request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """A Chromium with a fake camera and microphone, driven by Playwright's async API. Each `new_context()` is the
    browser of another person.

    After the test, its pages are closed before its servers stop. Otherwise a stopping server would wait until
    the calls of open pages end, and these calls cost CPU.
    """
    if "start_server" in request.fixturenames:
        # What is set up first is ended last. So this line makes sure that servers stop after pages are closed.
        request.getfixturevalue("start_server")
    async with shared_chromium.lent() as lent:
        yield lent


SHARED = ("signalling.ticks", "web.peers.media.light")
"""The modules with one timer for all: the tests that follow need it, and it does nothing by itself."""


@pytest.fixture(autouse=True)
async def nothing_runs_on() -> AsyncIterator[None]:
    """Ends the tasks, and the timers of the product, that a test leaves in the event loop, which all tests share."""
    before = asyncio.all_tasks()
    yield
    left = [
        task
        for task in asyncio.all_tasks() - before - {asyncio.current_task()}
        # The tasks of Playwright continue, because the browser stays open after the test. They are recognised by their
        # file name.
        if "playwright" not in repr(task)
    ]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    loop: Any = asyncio.get_running_loop()
    for timer in loop._scheduled:
        if (name := module_of(timer._callback)).startswith(PRODUCT) and name not in SHARED:
            timer.cancel()


def module_of(callback: Any) -> str:
    """Return the name of the module that defines a callback of the event loop; "" for a timer that was cancelled."""
    function = getattr(callback, "func", callback)
    return str(getattr(function, "__module__", None) or "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests to run. pytest calls this hook.

    Tests that need a browser get the mark `browser`, and are skipped if there is no browser. Except in `make
    faults`, tests with a mark of `RUN_BY` are left out. Those with the mark `long` are not left out if the
    option `-m` names it, as in `make test-long`.
    """
    here = find_chromium() is not None
    if QUICK:
        marks = [mark for mark in RUN_BY if mark == "minutes" or mark not in config.option.markexpr]
        chosen: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            (left if any(map(item.get_closest_marker, marks)) else chosen).append(item)
        config.hook.pytest_deselected(items=left)
        items[:] = chosen
    for item in items:
        if {"chromium", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
        if not here and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the tests that are left out because of their mark. pytest calls this hook."""
    for item in items:
        counts = item.config.stash.setdefault(LEFT_OUT, dict.fromkeys(RUN_BY, 0))
        for mark in RUN_BY:
            counts[mark] += item.get_closest_marker(mark) is not None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the counts of left-out tests from a process that has run tests. pytest-xdist calls this hook.

    All such processes find the same tests, so the counts of one of them are the counts of the run.
    """
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def left_out(counts: dict[str, int]) -> list[str]:
    """Return a line for each mark because of which tests were left out: how many, and what runs them. `counts`:
    mark -> tests.
    """
    return [f"{count} tests with the mark `{mark}` were left out; {RUN_BY[mark]} runs them."
            for mark, count in counts.items() if count]  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Stop Python's garbage collector while pytest finds the tests. pytest calls this hook.

    Afterwards the garbage collector runs less often, and never checks the thousands of test objects. To check them
    took almost a second in each of its runs, and a twelfth of the CPU of tests without browsers.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(said).removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Report a skipped test as failed if GREENROOM_NO_SKIP is set. pytest calls this hook."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(NO_SKIP):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must run here, and did not: {_reason(report)}"
    return report  # type: ignore[return-value]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make the run fail if a whole file was skipped although GREENROOM_NO_SKIP is set. Send the counts of
    left-out tests to the process that prints them. pytest calls this hook.
    """
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left_out"] = session.config.stash.get(LEFT_OUT, {})
    if os.environ.get(NO_SKIP) and _not_run(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the tests that did not run, and why, as the last lines of a run. pytest calls this hook."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    if skipped := _not_run(config):
        reporter.write_line(f"These {len(skipped)} did not run:", yellow=True)
        for name, reason in skipped:
            reporter.write_line(f"  {name}: {reason}")
    for line in left_out(config.stash.get(LEFT_OUT, {})):
        reporter.write_line(line, yellow=True)


def _not_run(config: pytest.Config) -> list[tuple[str, str]]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter is not None else []
    return [(report.nodeid, _reason(report)) for report in reports]
