"""`make mutants`: put small faults into the sources, one at a time, and count which of them the tests of the file
notice.

Draws `--number` changes (`changes.py`) of the sources, with a seed. A copy of this folder gets one change
after another. In the copy, the changed file's tests (`tests/mirror.py`) are run, if they run the changed
statement: one test file after another, the quickest tests first (`reached.py`), until a test fails. A change
is killed if a test fails, or if a test takes, in two runs, much longer than without the change. Each
judgement is printed. If no test notices a change, it survives: it then needs a test, or a reason in
equivalents.toml if nobody can notice it. `--write` keeps a sample in results.json, from which results.md is
made. `--again` judges the survivors of a kept sample once more.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import aiohttp.web  # noqa: F401
import aiortc  # noqa: F401
import hypothesis  # noqa: F401
import msgspec
import playwright.async_api  # noqa: F401
import pytest
import redis.asyncio  # noqa: F401
import schemathesis  # noqa: F401

from tests.mirror import ROOT, own_tests
from tests.mutants.changes import Change, changes, statement_lines, uncommented
from tests.mutants.in_place import changed
from tests.mutants.reached import Chosen, Reached, Recorder
from tests.mutants.samples import SURVIVED, Sample, Survivor, report, sample

HERE = Path(__file__).parent
EQUIVALENTS = HERE / "equivalents.toml"
SAMPLES, RESULTS = HERE / "results.json", HERE / "results.md"
SOURCES = ("signalling", "media")
# A test counts as hanging if it takes longer than GRACE_S plus LONGER times its duration without a change.
LONGER, GRACE_S = 4, 15.0
PATIENCE = 3  # If a test took too long, it runs again and may take this number of times as long.
PYTEST = ("-q", "-m", "not browser", "-p", "no:cacheprovider", "-p", "no:xdist")


class Mutant(NamedTuple):
    """A change of a source file. `code`: the line where it begins, without the comment behind it."""

    source: Path
    change: Change
    code: str

    def __str__(self) -> str:
        return f"{self.source}:{self.change.line}"

    def as_survivor(self) -> Survivor:
        """Return the entry of results.json for this change, if no test notices it (the change survives)."""
        return Survivor(str(self.source), self.change.line, str(self.change), self.code)

    def lines(self) -> range:
        """Return the numbers of the lines of the changed statement."""
        return statement_lines((ROOT / self.source).read_bytes(), self.change.line)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments, or with those of the command line."""
    options = _options(arguments)
    os.nice(15)
    kept = read_samples()
    drawn_by = f"--number {options.number} --seed {options.seed} {' '.join(options.paths)}"
    again = survivors(kept[drawn_by], options.paths) if options.again else {}
    mutants = list(again) if options.again else draw(options.paths, options.number, options.seed)
    outcome = dict[Mutant, str]()
    with tempfile.TemporaryDirectory(prefix="greenroom-mutants-") as folder:
        bench, reasons = Bench(Path(folder), mutants), _reasons()
        # After Ctrl-C, the changes that were judged so far are a smaller sample.
        with contextlib.suppress(KeyboardInterrupt):
            for mutant in mutants:
                outcome[mutant] = _judged(bench, mutant, reasons)
    if options.again:
        found = kept[drawn_by].again({again[mutant]: judgement for mutant, judgement in outcome.items()})
    else:
        found = sample(_commit(), len(mutants), ((one.as_survivor(), kind) for one, kind in outcome.items()))
    kept[drawn_by] = found
    print(report({drawn_by: found}))
    if options.write:
        SAMPLES.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
        RESULTS.write_text(report(kept), "utf-8")


def read_samples() -> dict[str, Sample]:
    """Return the arguments with which a sample was drawn -> the sample. The samples are read from results.json."""
    return msgspec.json.decode(SAMPLES.read_bytes(), type=dict[str, Sample])


def survivors(kept: Sample, paths: Iterable[str]) -> dict[Mutant, Survivor]:
    """Return the survivors of a kept sample in the files `paths`, each as a change of the present sources -> its entry.

    If the code of a survivor has moved or is there several times, take the nearest place. Survivors that were
    killed later, or whose code no longer exists, are left out.
    """
    found = dict[Mutant, Survivor]()
    sources = every(paths)
    for one in kept.survivors:
        alike = [mutant for mutant in sources if mutant.as_survivor().names(one)]
        if one.now == SURVIVED and alike:
            found[min(alike, key=lambda mutant: abs(mutant.change.line - one.line))] = one
    return found


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make mutants", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument(
        "paths", nargs="*", default=list(SOURCES), help="folders, files, and lines as file:line"
    )
    parser.add_argument("--number", type=int, default=200, help="how many changes to draw")
    parser.add_argument(
        "--seed", type=int, default=7, help="the same seed draws the same changes of the same sources"
    )
    parser.add_argument(
        "--again", action="store_true", help="judge the survivors of the kept sample with these arguments"
    )
    parser.add_argument("--write", action="store_true", help="keep the sample, and renew results.md")
    return parser.parse_args(arguments)


def draw(paths: Iterable[str], number: int, seed: int) -> list[Mutant]:
    """Return `number` random changes of the sources, in random order. A path is a folder, a file, or `file:line`. The
    same seed gives the same changes.
    """
    found = every(paths)
    return random.Random(seed).sample(found, min(number, len(found)))


def every(paths: Iterable[str]) -> list[Mutant]:
    """Return all changes of the sources at these paths, in their order."""
    found = dict[Mutant, None]()
    for path in sorted(paths):
        name, _, line = path.partition(":")
        files = [ROOT / name] if name.endswith(".py") else sorted((ROOT / name).rglob("*.py"))
        for file in files:
            found |= dict.fromkeys(one for one in _mutants(file) if line in ("", str(one.change.line)))
    return list(found)


def _mutants(file: Path) -> Iterator[Mutant]:
    text = file.read_bytes()
    lines = text.decode().split("\n")
    for change in changes(text):
        yield Mutant(file.relative_to(ROOT), change, uncommented(lines[change.line - 1]))


def _reasons() -> dict[tuple[str, str, str], str]:
    """Return (file, line of code, change) -> the reason why nobody can notice this change, from equivalents.toml."""
    rows = tomllib.loads(EQUIVALENTS.read_text("utf-8")).get("equivalent", [])
    return {(row["file"], row["code"], row["change"]): row["why"] for row in rows}


def _judged(bench: Bench, mutant: Mutant, reasons: dict[tuple[str, str, str], str]) -> str:
    """Return the judgement of the change `mutant`: "killed", "late" (a test took too long), "equivalent" or "survived".

    Print it, unless it is "equivalent". `reasons`: why nobody can notice some changes.
    """
    if (str(mutant.source), mutant.code, str(mutant.change)) in reasons:
        return "equivalent"
    began_s = time.monotonic()
    found = bench.judge(mutant)
    took = f"{time.monotonic() - began_s:.0f} s"
    print(f"{found:9} {took:>5} {mutant} {mutant.change}  in  {mutant.code}", flush=True)
    return found


class Bench:
    """A copy of the repository's folder, in which sources are changed and tests are run."""

    def __init__(self, folder: Path, mutants: Iterable[Mutant]) -> None:
        self._root = folder / "copy"
        self._log = folder / "log"
        self._shown = folder / "reached"
        self._reached: dict[Path, Reached] = {}
        self._wanted = defaultdict[str, set[int]](set)
        for mutant in mutants:
            self._wanted[str(mutant.source)].update(mutant.lines())
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (self._root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self._root / name)

    def judge(self, mutant: Mutant) -> str:
        """Run the tests for one change; return "killed", "late" (a test took too long two times) or "survived".

        Most changes are noticed by the file's first tests, so that the other tests need not run. Tests with a store
        come last, because each takes as long as many other tests.
        """
        reached, ran = Reached(), False
        for test in sorted(
            own_tests(mutant.source), key=lambda test: b"valkey" in (ROOT / test).read_bytes()
        ):
            found = self._without_change(test)
            reached.add(found)
            tests = found.running(str(mutant.source), mutant.lines())
            ran = ran or bool(tests)
            if tests and (judgement := self._judged_by(mutant, tests, found)) != "survived":
                return judgement
        # If no test is known to run the statement, any of the file's tests may notice the change. For example, a
        # process that a test starts may run the statement.
        return "survived" if ran else self._judged_by(mutant, reached.by(str(mutant.source), ()), reached)

    def _judged_by(self, mutant: Mutant, tests: Sequence[str], reached: Reached) -> str:
        """Run these tests on the changed file; return "killed", "late" or "survived".

        `reached`: the result of the tests' files without the change.
        """
        if not tests:
            return "survived"
        with changed(self._root / mutant.source, mutant.change):
            for patience in (1, PATIENCE):
                longest_s = {test: patience * (GRACE_S + LONGER * reached.took_s[test]) for test in tests}
                chosen = Chosen(longest_s, reached.took_s.keys() - set(tests))
                code = self._run({test.split("::")[0] for test in tests}, chosen)
                if code != -signal.SIGALRM:
                    return "killed" if code else "survived"
        return "late"

    def _without_change(self, test: Path) -> Reached:
        """Return the result of a test file without any change. The file is run at the first call only."""
        if test not in self._reached:
            self._shown.unlink(missing_ok=True)
            code = self._run([str(test)], Recorder(self._root, self._wanted))
            if code not in (
                pytest.ExitCode.OK,
                pytest.ExitCode.TESTS_FAILED,
                pytest.ExitCode.NO_TESTS_COLLECTED,
            ):
                raise SystemExit(f"{test} does not run:\n{self._log.read_text('utf-8')}")
            self._reached[test] = found = Reached(**pickle.loads(self._shown.read_bytes()))
            took_s = sum(found.took_s.values())
            print(f"{took_s:.1f} s without a change: {test} {sorted(found.failed) or ''}", flush=True)
        return self._reached[test]

    def _run(self, tests: Iterable[str], plugin: Recorder | Chosen) -> int:
        """Run test files in a process of their own; return its exit code, or a negative number if a signal ended it.

        `plugin`: the pytest plugin that records which tests run a line, or chooses tests. The process is a fork of this
        one, which has already imported all packages of others, so that it begins at once.
        """
        pid = os.fork()
        if pid == 0:
            self._in_child(sorted(tests), plugin)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # End the processes that the tests have started and not ended.
        return os.waitstatus_to_exitcode(status)

    def _in_child(self, tests: Sequence[str], plugin: Recorder | Chosen) -> NoReturn:
        os.setsid()
        os.chdir(self._root)
        with self._log.open("wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        sys.path[:] = [str(self._root), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
        os.environ["PYTHONPATH"] = str(self._root)
        for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
            del sys.modules[name]
        code = 3
        try:
            plugin.start()
            code = pytest.main([*PYTEST, *plugin.options, *tests], plugins=[plugin])
            if isinstance(plugin, Recorder):
                sys.settrace(None)
                self._shown.write_bytes(pickle.dumps(vars(plugin.reached)))
        finally:
            os._exit(int(code))


if __name__ == "__main__":
    main()
