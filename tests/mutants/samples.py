"""Keeps samples of changes: how many were killed at first, which survived, and how these were judged later.

The module makes the text of results.md, and does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

SURVIVED, EQUIVALENT = "survived", "equivalent"
SAYS = {"killed": "killed", "late": "killed", SURVIVED: "survives", EQUIVALENT: "nobody can notice it"}
"""Judgement -> its words in results.md. `late`: a test took too long with the change."""
# a vertical bar inside a table of Markdown
BAR = "\\|"


class Survivor(msgspec.Struct, frozen=True, order=True):
    """A change that no test noticed at first. `now`: its newest judgement."""

    file: str
    line: int
    change: str
    code: str
    now: str = SURVIVED

    def names(self, other: Survivor) -> bool:
        """Return True if `other` is the same change of the same code in the same file; the line may differ."""
        return (self.file, self.change, self.code) == (other.file, other.change, other.code)


class Sample(msgspec.Struct, frozen=True):
    """The first judgements of changes of the sources at `commit`.

    `drawn`: how many changes were chosen at random. `killed`, `late`, `equivalent`: how many of them got this
    judgement. `survivors`: the changes that no test noticed.
    """

    commit: str
    drawn: int
    killed: int
    late: int
    equivalent: int
    survivors: list[Survivor]

    @property
    def judged(self) -> int:
        """Return the number of changes that were judged."""
        return self.killed + self.late + self.equivalent + len(self.survivors)

    def now(self, *judgements: str) -> int:
        """Return how many of the survivors have one of these judgements now."""
        return sum(survivor.now in judgements for survivor in self.survivors)

    def again(self, judgements: Mapping[Survivor, str]) -> Sample:
        """Return this sample with new judgements of some of its survivors. `judgements`: survivor -> new judgement."""
        judged = [msgspec.structs.replace(one, now=judgements.get(one, one.now)) for one in self.survivors]
        return msgspec.structs.replace(self, survivors=judged)


def report(samples: Mapping[str, Sample]) -> str:
    """Return the text of results.md. `samples`: the arguments with which a sample was drawn -> the sample."""
    lines = [
        "# Mutants: small faults put into the sources, and how many a file's own tests notice",
        "",
        'Written by `make mutants ARGS="... --write"`. Each change alone; then those of the tests run that'
        " `tests/mirror.py` calls the file's own, and that run the changed statement.",
        "",
        "*At first* is the judgement by the tests of that commit. *Now* counts, besides, the survivors that were judged"
        " again (`--again`) after tests were written for them. Changes that nobody can notice (`equivalents.toml` says"
        " why) count in neither. Changes of a sample that were not judged are not counted either.",
        "",
        "| sample | at commit | drawn | judged | nobody can notice | killed at first | killed now |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(arguments, sample) for arguments, sample in samples.items()]
    for arguments, sample in samples.items():
        lines += ["", f"## {arguments}", "", "| survived at first | change | in | now |", "|---|---|---|---|"]
        for one in sorted(sample.survivors):
            lines.append(_cells(f"{one.file}:{one.line}", one.change, f"`{one.code}`", SAYS[one.now]))
    return "\n".join([*lines, ""])


def _row(arguments: str, sample: Sample) -> str:
    unnoticed = sample.equivalent + sample.now(EQUIVALENT)
    real, first = sample.judged - unnoticed, sample.killed + sample.late
    shares = [_share(killed, real) for killed in (first, first + sample.now("killed", "late"))]
    return _cells(f"`{arguments}`", sample.commit, sample.drawn, sample.judged, unnoticed, *shares)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(1, whole):.1f} %)"


def _cells(*cells: object) -> str:
    return f"| {' | '.join(str(cell).replace('|', BAR) for cell in cells)} |"


def sample(commit: str, drawn: int, judgements: Iterable[tuple[Survivor, str]]) -> Sample:
    """Return a sample made from `judgements`: (change, its first judgement) for each change.

    `commit`: the commit whose sources were changed. `drawn`: the number of changes drawn at the commit.
    """
    judged = list(judgements)
    counted = {kind: sum(found == kind for _, found in judged) for kind in ("killed", "late", EQUIVALENT)}
    survivors = sorted(one for one, found in judged if found == SURVIVED)
    return Sample(commit, drawn, **counted, survivors=survivors)
