"""Samples where a process spends its time, and draws the samples as a flame graph. Only `Profile` does I/O.

py-spy (a tool for developers) reads the stacks of a running process from outside, 200 times a second, so the
process runs unchanged. In the picture a box is a function, as wide as its share of the samples, above the box
of the function that called it.
"""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tempfile
from html import escape
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

WIDTH, ROW, TOP, SIDE = 1200, 17, 40, 10
LEAST_SHARE = 0.004
"""A box with a smaller share of all samples is left out, so that the file stays small."""
LETTER = 6.6  # the width of a letter, in the unit of the picture
PLACE = re.compile(r"^(?P<function>.*) \((?P<file>.*?)(?::\d+)?\)$")
COLOURS = {"web/": "#e8c08a", "signalling/": "#9fc9b8", "media/": "#a9b9d9", "": "#dcd6cc"}
"""Beginning of a file's path -> the colour of its functions; "" for other packages."""
BELOW = "GunicornWebWorker.run"
"""The function of a worker that runs the event loop. What called it is the same for all samples, and is left out."""
RATE = 200


class Box(NamedTuple):
    """A box of the picture: a function, called by the function of the box below it.

    `depth`: the number of boxes below it. `begins` and `share`: its left edge and its width, as shares (0 to 1) of the
    samples.
    """

    name: str
    depth: int
    begins: float
    share: float


def samples(raw: str) -> dict[tuple[str, ...], int]:
    """Return call stack -> number of samples, from py-spy's format "raw".

    A call stack begins with the outermost function.
    """
    found: dict[tuple[str, ...], int] = {}
    for line in raw.splitlines():
        stack, _, number = line.rpartition(" ")
        names = tuple(PLACE.sub(r"\g<function> (\g<file>)", name) for name in stack.split(";"))
        begin = next((at for at, name in enumerate(names) if name.startswith(BELOW)), 0)
        found[names[begin:]] = found.get(names[begin:], 0) + int(number)
    return found


def boxes(found: dict[tuple[str, ...], int]) -> list[Box]:
    """Return the boxes of these stacks, sorted by name. All calls of a function by the same callers are one box."""
    total = sum(found.values()) or 1
    drawn: list[Box] = []

    def draw(stacks: list[tuple[tuple[str, ...], int]], depth: int, begins: float) -> None:
        callees: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for stack, number in stacks:
            if len(stack) > depth:
                callees.setdefault(stack[depth], []).append((stack, number))
        for name, called in sorted(callees.items()):
            share = sum(number for _, number in called) / total
            if share >= LEAST_SHARE:
                drawn.append(Box(name, depth, begins, share))
                draw(called, depth + 1, begins)
            begins += share

    draw(list(found.items()), 0, 0.0)
    return drawn


def picture(found: dict[tuple[str, ...], int], title: str) -> str:
    """Return the samples as an SVG picture, without a script; each box has its name and its share as a tooltip."""
    drawn = boxes(found)
    height = TOP + SIDE + ROW * (1 + max((box.depth for box in drawn), default=0))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="ui-monospace, monospace" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{SIDE}" y="22" font-size="14" font-family="system-ui, sans-serif">{escape(title)}</text>',
    ]
    for box in drawn:
        x, wide = SIDE + box.begins * (WIDTH - 2 * SIDE), box.share * (WIDTH - 2 * SIDE)
        y = height - SIDE - ROW * (box.depth + 1)
        letters = int((wide - 4) / LETTER)
        name = box.name if len(box.name) <= letters else f"{box.name[: letters - 1]}…"
        words = f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(name)}</text>' if letters > 3 else ""
        parts.append(
            f"<g><title>{escape(box.name)}: {box.share * 100:.1f} %</title>"
            f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{ROW - 1}" fill="{_colour(box.name)}"/>'
            f"{words}</g>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _colour(name: str) -> str:
    _, _, file = name.rpartition("(")
    return next(colour for begin, colour in COLOURS.items() if file.startswith(begin))


class Profile:
    """Samples a process from the beginning of a `with` block to its end. `raw`: the samples, in py-spy's
    format.

    `problem`: the reason why there are no samples, for instance that a container forbids ptrace; "" if there are some.
    """

    def __init__(self, pid: int) -> None:
        self.raw, self.problem = "", ""
        self._pid = pid
        self._folder = tempfile.TemporaryDirectory(prefix="greenroom-profile-")
        self._file = Path(self._folder.name) / "raw"
        self._program: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = Path(sysconfig.get_path("scripts")) / "py-spy"
        words = f"record --gil --rate {RATE} --format raw --duration unlimited --pid {self._pid}".split()
        try:
            self._program = subprocess.Popen(
                [str(program), *words, "--output", str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as problem:
            self.problem = f"py-spy cannot be started: {problem.strerror}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._program is not None:
            self._program.send_signal(2)  # SIGINT (2) makes py-spy write its samples
            try:
                _, errors = self._program.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                self._program.kill()
                _, errors = self._program.communicate()
            if self._file.is_file():
                self.raw = self._file.read_text("utf-8")
            if not self.raw:
                said = errors.decode("utf-8", "replace").strip().splitlines()
                self.problem = f"py-spy: {said[-1] if said else 'no samples'}"
        self._folder.cleanup()
