"""Records the observations of a run, each with its time, and defines the file in which they are stored.

Observations are durations of steps, counts, errors with a few examples, gauges (values that go up and down),
and facts about the run (plan, command, machine). `merge` joins the observations of several processes or
machines. Callers must not write patients' data.
"""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from web.peers.errors import ObservationsError

STEPS = (
    "arrive",
    "queue_seen",
    "waited",
    "claim",
    "pulled_in",
    "started",
    "first_frame",
    "back",
    "longest_gap",
    "hang_up",
    "journey",
)
"""The steps of a whole visit, in order, with two interruptions: `back` (a lost socket) and `longest_gap` (no media).

A scenario may add its own steps.
"""
FORMAT = 1
EXAMPLES = 5
"""The greatest number of different texts that are stored for an error code, each cut to EXAMPLE_LENGTH characters."""
EXAMPLE_LENGTH = 240
CODES = 200
"""The greatest number of error codes that are counted separately; errors with further codes count under OTHER."""
OTHER = "other"
T = TypeVar("T")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class About(msgspec.Struct, forbid_unknown_fields=False):
    """Facts about the run. `plan` and `command` are shown unchanged, so they must hold no credential."""

    plan: dict[str, str] = {}
    command: str = ""
    machine: dict[str, str] = {}
    versions: dict[str, str] = {}


class Series:
    """The values that were observed of one step, count, error or gauge, in the order of their times.

    `at`: the time of each value, in s since the run began.
    """

    __slots__ = ("at", "values")

    def __init__(self, at: Iterable[float] = (), values: Iterable[float] = ()) -> None:
        self.at = array("d", at)
        self.values = array("d", values)

    def add(self, at_s: float, value: float) -> None:
        """Append a value. `at_s`: the time of its observation, in s since the start of the run."""
        self.at.append(at_s)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return zip(self.at, self.values, strict=True)


class Observations:
    """All observations of one run.

    `steps`: name of a step -> its durations in s. `counts`: name -> numbers, whose sum is the count. `errors`: error
    code -> a 1 for each error. `gauges`: name -> number of a process -> the values that it recorded. `examples`: error
    code -> a few texts of the error. `ago_s`: the run began this time in s ago; if negative, it begins later.
    `started_at`: the start of the run by this machine's wall clock, in s since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, ago_s: float = 0.0) -> None:
        self._clock = clock
        self.started_at = time.time() - ago_s
        self._zero = clock() - ago_s
        self.about = About()
        self.steps: dict[str, Series] = {}
        self.counts: dict[str, Series] = {}
        self.errors: dict[str, Series] = {}
        self.examples: dict[str, list[str]] = {}
        self.gauges: dict[str, dict[int, Series]] = {}
        self._sources = 1
        self._sent: dict[tuple[str, str], int] = {}

    @property
    def now_s(self) -> float:
        """The time in s since the run began."""
        return self._clock() - self._zero

    @property
    def duration_s(self) -> float:
        """The time of the newest observation, in s since the start of the run; 0 if there is no observation."""
        return max((max(series.at) for _, _, series in self._all() if len(series)), default=0.0)

    def step(self, name: str, seconds: float) -> None:
        """Add one duration of the step with this name: it ends now and took `seconds` seconds."""
        _named(self.steps, name, Series).add(self._clock() - self._zero, seconds)

    def count(self, name: str, n: int = 1, *, at_s: float | None = None) -> None:
        """Add `n` to a count, now or `at_s` seconds after the start of the run."""
        _named(self.counts, name, Series).add(self._clock() - self._zero if at_s is None else at_s, n)

    def error(self, code: str, example: str) -> None:
        """Add an error that happens now.

        `code`: the code under which errors of this kind are counted. `example`: the error's text, without patient data.
        """
        self._error(self._clock() - self._zero, code, example)

    def gauge(self, name: str, value: float) -> None:
        """Record the present value of a gauge. It counts until the next call for the same gauge.

        Nothing is recorded before the run begins, because the machines then only wait for each other.
        """
        if (at_s := self.now_s) >= 0:
            _named(self.gauges, name, _Sources).setdefault(0, Series()).add(at_s, value)

    def save(self, path: Path) -> None:
        """Write a file of JSON lines: the facts about the run, then one line for each observation."""
        head = {
            "greenroom": "observations",
            "format": FORMAT,
            "started_at": self.started_at,
            "about": self.about,
        }
        path.write_bytes(msgspec.json.encode(head) + b"\n" + b"".join(self._lines({})))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` has written; ignore an incomplete last line.

        Raises ObservationsError if the file cannot be read as observations.
        """
        try:
            head, _, body = path.read_bytes().partition(b"\n")
        except OSError as problem:
            raise ObservationsError(f"{path}: {problem.strerror or problem}") from None
        try:
            found = msgspec.json.decode(head, type=_Head)
        except msgspec.MsgspecError:
            raise ObservationsError(f"{path}: expected observations of `greenroom peers`") from None
        if found.format != FORMAT:
            raise ObservationsError(f"{path}: expected format {FORMAT} of observations; found {found.format}")
        made = cls()
        made.started_at, made.about = found.started_at, found.about
        try:
            made.absorb(body[: body.rfind(b"\n") + 1])
        except ObservationsError as problem:
            raise ObservationsError(f"{path}: {problem}") from None
        return made

    @classmethod
    def merge(cls, parts: Iterable[Self]) -> Self:
        """Return the observations of several processes or machines as one; times count from the earliest start.

        The result is right only if the machines' clocks agree. Raises ObservationsError if `parts` is empty.
        """
        ordered = sorted(parts, key=lambda part: part.started_at)
        if not ordered:
            raise ObservationsError("expected at least one file of observations")
        first = ordered[0]
        made = cls(clock=first._clock)
        made.started_at, made._zero = first.started_at, first._zero
        for part in ordered:
            made.about.plan = {**part.about.plan, **made.about.plan}
            made.about.command = made.about.command or part.about.command
            made.about.machine = {**part.about.machine, **made.about.machine}
            made.about.versions = {**part.about.versions, **made.about.versions}
            made.absorb(b"".join(part._lines({})), later_s=part.started_at - first.started_at)
        made._sort()
        return made

    def rows(self) -> Iterator[tuple[str, str, float, float, str]]:
        """Yield each observation as a row for the CSV file: kind, name, second, value, and for a gauge its process."""
        for kind, name, series in self._all():
            kind, _, source = kind.partition(" ")
            yield from ((kind, name, round(at, 6), round(value, 9), source) for at, value in series)

    def news(self) -> bytes:
        """Return the observations that were added since the previous call, as JSON lines for `absorb`."""
        return b"".join(self._lines(self._sent))

    def absorb(self, lines: bytes, *, source: int | None = None, later_s: float = 0.0) -> None:
        """Add observations of another process. `lines`: its observations as JSON lines, from `news` or a file.

        `source`: the number of that process in `gauges`, the same in each call for that process; None for a new number.
        `later_s`: the time in s to add to the times in the lines. Raises ObservationsError if a line is not valid.
        """
        offset = self._sources if source is None else source
        highest = 0
        for number, line in enumerate(lines.splitlines(), 1):
            try:
                kind, name, at, value, more = _LINE.decode(line)
                highest = max(highest, self._take(kind, name, at + later_s, value, more, offset))
            except (msgspec.MsgspecError, ValueError, TypeError):
                raise ObservationsError(f"line {number} after the first is no observation") from None
        self._sources = max(self._sources, offset + highest + 1)

    def _take(self, kind: str, name: str, at: float, value: float, more: Any, offset: int) -> int:
        if kind == "step":
            _named(self.steps, name, Series).add(at, value)
        elif kind == "count":
            _named(self.counts, name, Series).add(at, value)
        elif kind == "error":
            self._error(at, name, str(more))
        elif kind == "gauge":
            source = int(more)
            _named(self.gauges, name, _Sources).setdefault(offset + source, Series()).add(at, value)
            return source
        else:
            raise ValueError(kind)
        return 0

    def _error(self, at: float, code: str, example: str) -> None:
        code, example = readable(code), readable(example)
        if code not in self.errors and len(self.errors) >= CODES:
            code = OTHER
        self.errors.setdefault(code, Series()).add(at, 1)
        kept = self.examples.setdefault(code, [])
        if example and len(kept) < EXAMPLES:
            shown = " ".join(example.split())[:EXAMPLE_LENGTH]
            if shown not in kept:
                kept.append(shown)

    def _all(self) -> Iterator[tuple[str, str, Series]]:
        for kind, many in (("step", self.steps), ("count", self.counts), ("error", self.errors)):
            yield from ((kind, name, series) for name, series in list(many.items()))
        for name, sources in list(self.gauges.items()):
            yield from ((f"gauge {source}", name, series) for source, series in list(sources.items()))

    def _lines(self, sent: dict[tuple[str, str], int]) -> Iterator[bytes]:
        """Yield the observations that were not sent yet, as JSON lines.

        `sent`: (kind, name) -> the number of values that were sent; it is updated.
        """
        for kind, name, series in self._all():
            begin, end = sent.get((kind, name), 0), len(series)
            sent[kind, name] = end
            kind, _, source = kind.partition(" ")
            more: Any = int(source) if source else None
            examples = self._unsent_examples(sent, name) if kind == "error" else iter(())
            for at, value in zip(series.at[begin:end], series.values[begin:end], strict=True):
                if kind == "error":
                    more = next(examples, "")
                yield msgspec.json.encode((kind, name, round(at, 6), round(value, 9), more)) + b"\n"

    def _unsent_examples(self, sent: dict[tuple[str, str], int], code: str) -> Iterator[str]:
        """Return the example texts of the error `code` that were not sent yet, and record them in `sent` as sent."""
        kept = self.examples.get(code, ())
        begin, sent["example", code] = sent.get(("example", code), 0), len(kept)
        return iter(kept[begin:])

    def _sort(self) -> None:
        for _, _, series in self._all():
            pairs = sorted(series)
            series.at = array("d", (at for at, _ in pairs))
            series.values = array("d", (value for _, value in pairs))


class _Head(msgspec.Struct):
    greenroom: str
    format: int
    started_at: float
    about: About


_Sources = dict[int, Series]
_LINE = msgspec.json.Decoder(tuple[str, str, float, float, int | str | None])


def readable(text: str) -> str:
    """Return `text` with a question mark for each surrogate: half a character, which no file of a run can have.

    Python makes surrogates from the name of a file that is not UTF-8, and from JSON such as "\\ud800".
    """
    return text.encode("utf-8", "replace").decode()


def _named(kept: dict[str, T], name: str, make: Callable[[], T]) -> T:
    """Return `kept[name]`; if the name is not in `kept`, first add it with the value that `make` returns.

    Raises ValueError if the name is not valid.
    """
    found = kept.get(name)
    if found is None:
        if not NAME.fullmatch(name):
            raise ValueError(f"expected a name like first_frame; found {name!r}")
        found = kept[name] = make()
    return found
