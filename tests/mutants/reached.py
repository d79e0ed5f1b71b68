"""Plugins of pytest for `make mutants`: one records which tests run which lines, the other runs only chosen tests."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

AT_IMPORT = ""
"""Used in place of a test's name for lines that run while a test file is imported.

Every test of that test file counts as a test that runs such a line.
"""
LONGEST_S = 120
"""The time limit in s of what has no known duration.

These are imports, and tests whose name is different since the change.
"""
_Line = tuple[str, int]


@dataclass
class Reached:
    """The result of one run of test files: test -> its duration, the tests that failed, and (file, line) -> the tests
    that run it. Paths are relative to the folder of the run.
    """

    took_s: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    tests: dict[_Line, set[str]] = field(default_factory=dict)

    def add(self, other: Reached) -> None:
        """Add the result of the run of another test file."""
        self.took_s |= other.took_s
        self.failed |= other.failed
        for line, tests in other.tests.items():
            self.tests.setdefault(line, set()).update(tests)

    def running(self, file: str, lines: Iterable[int]) -> list[str]:
        """Return the tests that passed and run one of these lines of `file`, the quickest first."""
        passed = self.took_s.keys() - self.failed
        found = set[str]().union(*(self.tests.get((file, line), set()) for line in lines))
        return self._sorted(passed if AT_IMPORT in found else found & passed)

    def by(self, file: str, lines: Iterable[int]) -> list[str]:
        """Return what `running` returns; if that is empty, all tests that passed, the quickest first."""
        return self.running(file, lines) or self._sorted(self.took_s.keys() - self.failed)

    def _sorted(self, tests: Iterable[str]) -> list[str]:
        return sorted(tests, key=lambda test: (self.took_s[test], test))


class Recorder:
    """Records in `reached` which tests run which of the `wanted` lines: file in `folder` -> numbers of lines."""

    options: tuple[str, ...] = ()

    def __init__(self, folder: Path, wanted: Mapping[str, set[int]]) -> None:
        self.reached = Reached()
        self._files = {str(folder / name): (name, lines) for name, lines in wanted.items()}
        self._traced: dict[CodeType, bool] = {}
        self._test = AT_IMPORT

    def start(self) -> None:
        """Trace this thread, and all threads that it starts."""
        threading.settrace(self._calls)
        sys.settrace(self._calls)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        began_s = time.monotonic()
        result = yield
        self.reached.took_s[item.nodeid] = time.monotonic() - began_s
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self.reached.failed.add(report.nodeid)

    def _calls(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        if code not in self._traced:
            _, wanted = self._files.get(code.co_filename, ("", set()))
            self._traced[code] = any(line in wanted for _, _, line in code.co_lines())
        return self._lines if self._traced[code] else None

    def _lines(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            name, wanted = self._files[frame.f_code.co_filename]
            if frame.f_lineno in wanted:
                self.reached.tests.setdefault((name, frame.f_lineno), set()).add(self._test)
        return self._lines


class Chosen:
    """A plugin of pytest that runs the tests in `longest_s` in its order, and does not run those in `left_out`.

    `longest_s`: id of a test -> its time limit in s. If a test takes longer, SIGALRM ends the process. Tests that
    are in neither `longest_s` nor `left_out` run last, each for at most LONGEST_S: a change may have given
    them another id.
    """

    options: tuple[str, ...] = ("-x",)

    def __init__(self, longest_s: Mapping[str, float], left_out: Collection[str]) -> None:
        self._longest_s, self._left_out = longest_s, left_out
        self._places = {test: place for place, test in enumerate(longest_s)}

    def start(self) -> None:
        """Limit the time until the first test begins."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_S)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid not in self._left_out]
        items[:] = sorted(chosen, key=lambda item: self._places.get(item.nodeid, len(self._places)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        signal.alarm(int(self._longest_s.get(item.nodeid, LONGEST_S)) + 1)
