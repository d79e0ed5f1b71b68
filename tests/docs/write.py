"""Writes the parts of the documents that are generated from the code. `make docs` runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import scale
from tests.docs import imports, regions
from tests.docs.keys_parts import parts as keys_parts
from tests.docs.marked import DOCS, renewed
from tests.docs.metrics_parts import parts as metrics_parts
from tests.docs.peers_parts import parts as peers_parts
from tests.docs.rooms_parts import parts as rooms_parts
from tests.docs.visit_parts import parts as visit_parts

PARTS: dict[str, Callable[[], dict[str, str]]] = {
    "VISIT.md": visit_parts,
    "ARCHITECTURE.md": rooms_parts,
    "OPERATIONS.md": lambda: {**keys_parts(), **metrics_parts()},
    "LOAD-TESTER.md": peers_parts,
    "SCALE.md": lambda: {"scale": scale.table(scale.Costs())},
}
"""Path of a document with generated parts -> the function that returns these parts, by name."""

MADE = [*(DOCS / name for name in PARTS), imports.PATH, regions.FILE]


def made(path: Path) -> str:
    """Return the text of the document at `path`, with its generated parts generated again from the code."""
    if path == imports.PATH:
        return imports.drawing()
    if path == regions.FILE:
        return regions.made()
    return renewed(path.read_text("utf-8"), PARTS[path.name]())


if __name__ == "__main__":
    for path in MADE:
        path.write_text(made(path), "utf-8")
